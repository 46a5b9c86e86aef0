//! Values of maps, as types of `collector-common`.

#![expect(unsafe_code, reason = "aya requires a promise about the bytes of map values")]

use aya::Pod;
use collector_common::Counters;
use zerocopy::{FromBytes, IntoBytes};

/// A value of a map, which aya can read.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Wire<T>(pub(super) T);

// SAFETY: `Pod` asks that a value can be made from any bytes of its size and read as bytes. `FromBytes` proves the
// first and `IntoBytes` (no padding) the second; `Wire` is transparent, so it has the same bytes.
unsafe impl<T: FromBytes + IntoBytes + Copy + 'static> Pod for Wire<T> {}

/// Adds the counters of one CPU to the sum.
pub(super) fn add(sum: &mut Counters, counters: &Counters) {
    for (total, seen) in sum.seen.iter_mut().zip(counters.seen) {
        *total += seen;
    }
    for (totals, losses) in sum.lost.iter_mut().zip(counters.lost) {
        for (total, lost) in totals.iter_mut().zip(losses) {
            *total += lost;
        }
    }
    sum.udp_folded += counters.udp_folded;
    sum.connects_by_rule += counters.connects_by_rule;
    sum.connects_by_limit += counters.connects_by_limit;
}
