//! [`Address`]: a place in kernel memory, and the reads from it.

use core::{ffi::c_void, mem::MaybeUninit, ptr};

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user};
use collector_common::ABSENT;
use zerocopy::FromBytes;

/// A place in kernel memory; 0 means none.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Address(pub u64);

impl Address {
    /// Whether this is no place.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The place `offset` bytes behind this one.
    #[inline(always)]
    pub fn plus(self, offset: u32) -> Self {
        Self(self.0.wrapping_add(offset as u64))
    }

    /// The value `offset` bytes behind this place; zero if it cannot be read or the field is absent.
    #[inline(always)]
    pub fn read<T: FromBytes>(self, offset: u32) -> T {
        if offset == ABSENT {
            return T::new_zeroed();
        }
        // Not zeroed: for more than a word the compiler would call a loop over its bytes.
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the destination is a `T` of that size on the stack, and any bytes are a `T`.
        unsafe { self.plus(offset).copy_to(value.as_mut_ptr().cast(), size_of::<T>() as u32) };
        // SAFETY: the helper has written each byte, with zeros where it failed.
        unsafe { value.assume_init() }
    }

    /// Follows the pointer `offset` bytes behind this place.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Self {
        Self(self.read(offset))
    }

    /// Copies bytes from here; zeros if they cannot be read.
    #[inline(always)]
    pub fn copy_bytes_to<const LEN: usize>(self, bytes: &mut [u8; LEN]) {
        // SAFETY: the destination is that many bytes.
        unsafe { self.copy_to(ptr::from_mut(bytes).cast(), LEN as u32) };
    }

    /// Copies the string at this place with its NUL, cut to the room there is; bytes behind it stay as they were.
    /// Returns its length without the NUL, 0 if it cannot be read.
    #[inline(always)]
    pub fn copy_string_to<const LEN: usize>(self, bytes: &mut [u8; LEN]) -> u32 {
        // SAFETY: the destination is that many bytes; the helper checks the source.
        let copied = unsafe {
            bpf_probe_read_kernel_str(ptr::from_mut(bytes).cast(), LEN as u32, self.0 as *const c_void)
        };
        if copied > 0 { copied as u32 - 1 } else { 0 }
    }

    /// Copies `len` bytes from here to `destination`; returns whether they could be read.
    ///
    /// # Safety
    ///
    /// `destination` must have room for `len` bytes, and any bytes must be valid for it.
    #[inline(always)]
    pub unsafe fn copy_to(self, destination: *mut c_void, len: u32) -> bool {
        // SAFETY: the caller answers for the destination; the helper checks the source.
        unsafe { bpf_probe_read_kernel(destination, len, self.0 as *const c_void) == 0 }
    }

    /// Copies `len` bytes of the current process's memory from here to `destination`; returns whether they could be
    /// read, which fails if a page is not in memory.
    ///
    /// # Safety
    ///
    /// `destination` must have room for `len` bytes, and any bytes must be valid for it.
    #[inline(always)]
    pub unsafe fn copy_user_to(self, destination: *mut c_void, len: u32) -> bool {
        // SAFETY: the caller answers for the destination; the helper checks the source.
        unsafe { bpf_probe_read_user(destination, len, self.0 as *const c_void) == 0 }
    }
}
