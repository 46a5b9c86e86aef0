//! What the kernel hands to a program when it calls it.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_socket_cookie};

use super::address::Address;

/// Reads a field of a context. One word at a time: the verifier refuses wider loads and loads through a moved
/// pointer.
macro_rules! field {
    ($structure:expr, $($field:tt)+) => {{
        // SAFETY: the kernel hands the program a valid structure of this type; the verifier checks each load.
        #[expect(unsafe_code, reason = "the macro's own, wherever it is used")]
        let field = unsafe { &raw const (*$structure).$($field)+ };
        // SAFETY: the same; the field is an initialised integer or pointer.
        #[expect(unsafe_code, reason = "the macro's own, wherever it is used")]
        let value = unsafe { core::ptr::read_volatile(field) };
        value
    }};
}

pub(crate) use field;

/// The cookie of the socket that a sock_ops or a sock_addr program is called for. Unique during one boot of the host.
#[inline(always)]
pub fn socket_cookie(context: &impl EbpfContext) -> u64 {
    // SAFETY: the argument is the context that the kernel called the program with, of a type that the helper accepts
    // (sock_addr since 4.17, sock_ops since 4.12); the verifier refuses any other.
    unsafe { bpf_get_socket_cookie(context.as_ptr()) }
}

/// `struct bpf_iter__task`: what the kernel hands to a task iterator. Both members are padded to 8 bytes.
#[repr(C)]
pub struct IterTaskContext {
    meta: *const c_void,
    task: *const c_void,
}

/// The task that an iterator is called for; `None` once, after the last task.
#[inline(always)]
pub fn iterated_task(context: *const IterTaskContext) -> Option<Address> {
    let task = field!(context, task);
    (!task.is_null()).then_some(Address(task as u64))
}
