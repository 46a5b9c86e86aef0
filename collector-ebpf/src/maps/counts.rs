//! Counting in the values of maps.

/// Adds one to a count of this CPU.
///
/// Atomic all the same: another program may preempt this one on the same CPU, and softirq may interrupt any. Written by
/// hand, since `core` has no `fetch_add` for this target.
///
/// # Safety
///
/// The place is an aligned `u64` in the value of a map.
#[inline(always)]
pub unsafe fn add_one(place: *mut u64) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the place is as the caller promises; the instruction touches nothing else.
    unsafe {
        core::arch::asm!("lock *(u64 *)({place} + 0) += {one}", place = in(reg) place, one = in(reg) 1u64)
    };
    #[cfg(not(target_arch = "bpf"))]
    let _ = place;
}
