//! The way out: records go into the ring, counts into the counters.

#![expect(unsafe_code, reason = "calls helpers of the kernel and writes into the ring")]

use core::ptr;

use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ringbuf_output, bpf_ringbuf_reserve,
    bpf_ringbuf_submit,
};
use collector_common::{Counters, ExecRecord, Fate, Kind, Loss, RecordHeader, WIRE_VERSION};
use zerocopy::FromBytes;

use crate::{
    kernel::pieces,
    maps::{COUNTERS, ExecScratch, PIECES_LEN, RECORDS, counts::add_one},
};

/// Counts an event of this kind as seen.
#[inline(always)]
pub fn seen(kind: Kind) {
    count(|counters| &raw mut counters.seen[kind.index()]);
}

/// Counts an event of this kind as lost.
#[inline(always)]
pub fn lost(kind: Kind, loss: Loss) {
    count(|counters| &raw mut counters.lost[kind.index()][loss.index()]);
}

/// Counts a connect that a filter drops.
#[inline(always)]
pub fn connect_filtered(fate: Fate) {
    match fate {
        Fate::ByLimit => count(|counters| &raw mut counters.connects_by_limit),
        Fate::Reported | Fate::ByRule => count(|counters| &raw mut counters.connects_by_rule),
    }
}

/// Counts a datagram that has no event of its own.
#[inline(always)]
pub fn folded() {
    count(|counters| &raw mut counters.udp_folded);
}

#[inline(always)]
fn count(place: impl FnOnce(&mut Counters) -> *mut u64) {
    let Some(counters) = COUNTERS.get_ptr_mut(0) else { return };
    // SAFETY: the map's values are `Counters`, made of integers that the kernel zeroes at the start.
    let counters = unsafe { &mut *counters };
    // SAFETY: the place is a `u64` in the map, 8-aligned as all its fields are.
    unsafe { add_one(place(counters)) };
}

/// The header of a record that is `len` bytes long and happens now.
#[inline(always)]
pub fn header(kind: Kind, fate: Fate, len: usize) -> RecordHeader {
    RecordHeader {
        version: WIRE_VERSION,
        kind: kind.to_wire(),
        len: len as u32,
        // SAFETY: the helper takes no argument and every program type here may call it.
        time_ns: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: the same.
        cpu: unsafe { bpf_get_smp_processor_id() } as u16,
        fate: fate.to_wire(),
        cgroups: 0,
    }
}

/// Reserves a record of constant size, lets `fill` write every field of it, and submits it. Counts it as lost if the
/// ring is full.
#[inline(always)]
pub fn record<T: FromBytes>(kind: Kind, fill: impl FnOnce(&mut T)) {
    // SAFETY: the map is a ring buffer and the size a constant, as the helper asks.
    let slot =
        unsafe { bpf_ringbuf_reserve(ptr::from_ref(&RECORDS).cast_mut().cast(), size_of::<T>() as u64, 0) };
    if slot.is_null() {
        lost(kind, Loss::RingFull);
        return;
    }
    // SAFETY: the slot is `size_of::<T>()` bytes of the ring's own memory, 8-aligned, ours until it is submitted; it is
    // never uninitialised (the kernel zeroes the pages, then records are written over), and any bytes are a `T`.
    fill(unsafe { &mut *slot.cast::<T>() });
    // SAFETY: the slot was reserved above and is not used again.
    unsafe { bpf_ringbuf_submit(slot, 0) };
}

/// Sends the exec in `scratch`: its fixed part and the pieces in use. If the ring has no room for it, sends it again
/// without its environment and with the beginning of its arguments; their full sizes show the cut.
#[inline(always)]
pub fn exec(scratch: &mut ExecScratch) {
    if !output(scratch) {
        pieces::shorten(scratch);
        if !output(scratch) {
            lost(Kind::Exec, Loss::RingFull);
        }
    }
}

/// Returns whether there was room.
#[inline(always)]
fn output(scratch: &mut ExecScratch) -> bool {
    let used = scratch.used;
    // Never more, since each piece is clamped; the verifier needs to see a bound on the length.
    if used > PIECES_LEN as u64 {
        return false;
    }
    scratch.record.header.len = size_of::<ExecRecord>() as u32 + used as u32;
    // SAFETY: the map is a ring buffer; `pieces` follows `record` with no padding (`repr(C)`, bytes), so that many
    // bytes from the start of `scratch` are inside it and initialised.
    let sent = unsafe {
        bpf_ringbuf_output(
            ptr::from_ref(&RECORDS).cast_mut().cast(),
            ptr::from_mut(scratch).cast(),
            size_of::<ExecRecord>() as u64 + used,
            0,
        )
    };
    sent == 0
}
