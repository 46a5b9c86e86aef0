//! The only readers of kernel memory.
//!
//! An [`Address`] is a number, not a pointer: nothing here dereferences one. Everything goes through
//! `bpf_probe_read_kernel`, which checks the access and fills the destination with zeros where it fails, so a
//! structure that is freed under the reader costs a field, never the program.

#![expect(unsafe_code, reason = "reads kernel memory")]

pub mod context;
pub mod file;
pub mod path;
pub mod pieces;
pub mod task;

use core::{ffi::c_void, mem::MaybeUninit, ptr};

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user};
use collector_common::{ABSENT, Offsets};
use zerocopy::FromBytes;

use crate::maps::OFFSETS;

/// A place in kernel memory; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Address(pub u64);

impl Address {
    /// Whether there is nothing.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The place `offset` bytes further.
    #[inline(always)]
    pub fn plus(self, offset: u32) -> Self {
        Self(self.0.wrapping_add(offset as u64))
    }

    /// The value that stands `offset` bytes further; zero where it cannot be read or the field is absent.
    #[inline(always)]
    pub fn read<T: FromBytes>(self, offset: u32) -> T {
        if offset == ABSENT {
            return T::new_zeroed();
        }
        // Not zeroed: for more than a word the compiler calls a loop over its bytes.
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the destination is a `T` of that size on the stack, and any bytes are a `T`.
        unsafe { self.plus(offset).copy_to(value.as_mut_ptr().cast(), size_of::<T>() as u32) };
        // SAFETY: the helper has written each byte, zeros where it failed.
        unsafe { value.assume_init() }
    }

    /// Follows the pointer that stands `offset` bytes further.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Self {
        Self(self.read(offset))
    }

    /// Copies bytes from here; zeros where they cannot be read.
    #[inline(always)]
    pub fn copy_bytes_to<const LEN: usize>(self, bytes: &mut [u8; LEN]) {
        // SAFETY: the destination is that many bytes.
        unsafe { self.copy_to(ptr::from_mut(bytes).cast(), LEN as u32) };
    }

    /// Copies the string that stands here, with its NUL and cut to the room there is; what is behind stays as it was.
    /// Answers its length without the NUL, 0 where it cannot be read.
    #[inline(always)]
    pub fn copy_string_to<const LEN: usize>(self, bytes: &mut [u8; LEN]) -> u32 {
        // SAFETY: the destination is that many bytes; the helper checks the source.
        let copied = unsafe {
            bpf_probe_read_kernel_str(ptr::from_mut(bytes).cast(), LEN as u32, self.0 as *const c_void)
        };
        if copied > 0 { copied as u32 - 1 } else { 0 }
    }

    /// Copies `len` bytes from here to `destination`; answers whether they could be read.
    ///
    /// # Safety
    ///
    /// `destination` must have room for `len` bytes, and any bytes must be fit for it.
    #[inline(always)]
    pub unsafe fn copy_to(self, destination: *mut c_void, len: u32) -> bool {
        // SAFETY: the caller answers for the destination; the helper checks the source.
        unsafe { bpf_probe_read_kernel(destination, len, self.0 as *const c_void) == 0 }
    }

    /// Copies `len` bytes of the current process's memory from here to `destination`; answers whether they could be
    /// read, which they cannot where a page is not in memory.
    ///
    /// # Safety
    ///
    /// `destination` must have room for `len` bytes, and any bytes must be fit for it.
    #[inline(always)]
    pub unsafe fn copy_user_to(self, destination: *mut c_void, len: u32) -> bool {
        // SAFETY: the caller answers for the destination; the helper checks the source.
        unsafe { bpf_probe_read_user(destination, len, self.0 as *const c_void) == 0 }
    }
}

/// The offsets, each read where it is used: the verifier then knows it as a constant.
#[inline(always)]
pub fn offsets() -> *const Offsets {
    ptr::from_ref(&OFFSETS).cast()
}

/// Reads one row of the offsets.
macro_rules! offset {
    ($row:ident) => {{
        let offsets = $crate::kernel::offsets();
        // SAFETY: `OFFSETS` is a static `Offsets` behind a transparent wrapper; the projection stays inside it.
        let row = unsafe { &raw const (*offsets).$row };
        // SAFETY: the row is an initialised `u32`. Volatile, so that the compiler does not take the value of the
        // initialiser, which the loader replaces.
        unsafe { core::ptr::read_volatile(row) }
    }};
}

pub(crate) use offset;
