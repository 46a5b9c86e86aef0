//! The offsets of kernel structures, as the programs read them.

use core::ptr;

use collector_common::Offsets;

use crate::maps::OFFSETS;

/// The offsets. Each is read where it is used, so that the verifier knows it as a constant.
#[inline(always)]
pub fn offsets() -> *const Offsets {
    ptr::from_ref(&OFFSETS).cast()
}

/// Reads one row of the offsets.
macro_rules! offset {
    ($row:ident) => {{
        let offsets = $crate::kernel::offsets::offsets();
        // SAFETY: `OFFSETS` is a static `Offsets` behind a transparent wrapper; the projection stays inside it.
        #[expect(unsafe_code, reason = "the macro's own, wherever it is used")]
        let row = unsafe { &raw const (*offsets).$row };
        // SAFETY: the row is an initialised `u32`. Volatile, so that the compiler does not take the value of the
        // initialiser, which the loader replaces.
        #[expect(unsafe_code, reason = "the macro's own, wherever it is used")]
        let value = unsafe { core::ptr::read_volatile(row) };
        value
    }};
}

pub(crate) use offset;
