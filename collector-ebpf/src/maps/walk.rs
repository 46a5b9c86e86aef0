//! The map in which paths are walked: see [`path`](crate::kernel::path).

use aya_ebpf::{macros::map, maps::Array};
use collector_common::{NAME_MAX, PATH_MAX};

/// A walk for each entry of [`EXECS`](super::EXECS). Apart from those, because each step looks its walk up by itself.
#[map]
static WALKS: Array<Walk> = Array::with_max_entries(1, 0);

/// A path during its walk, built from its end. It lives in a map, where each step finds it and the verifier does not
/// track its values.
#[repr(C)]
pub struct Walk {
    /// The dentry that comes next.
    pub dentry: u64,
    /// The `struct mount` it is in.
    pub mount: u64,
    /// The dentry at the root of `mount`.
    pub root: u64,
    /// Where the path begins in `path`.
    pub begin: u64,
    /// Filled from the end. A name may end behind the masked range.
    pub path: [u8; PATH_MAX + NAME_MAX + 1],
}

/// The walk of the exec at `place`; `None` where the loader made no entry for it.
#[inline(always)]
pub fn walk_of(place: u32) -> Option<&'static mut Walk> {
    let walk = WALKS.get_ptr_mut(place)?;
    // SAFETY: the map's values are `Walk`, made of integers and bytes that the kernel zeroes at the start. One program
    // alone uses a place, does not nest on its CPU, and keeps no reference while it calls a function that requests another.
    Some(unsafe { &mut *walk })
}
