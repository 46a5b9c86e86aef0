//! Whether standard output was closed when the process started. The standard library opens /dev/null instead of it before
//! `main`, and events would vanish there without an error.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether it was closed.
pub(super) fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Runs before the standard library checks the descriptors. It calls nothing that needs the standard library's runtime.
extern "C" fn check() {
    if rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err() {
        WAS_CLOSED.store(true, Ordering::Relaxed);
    }
}

// SAFETY: the section `.init_array` holds pointers to functions that the C library calls with `argc`, `argv` and `envp` before
// `main`. `check` takes no argument, which the C calling convention allows, and it does not unwind.
#[expect(unsafe_code, reason = "no safe interface runs code before the standard library's own")]
#[unsafe(link_section = ".init_array")]
#[used]
static CHECK: extern "C" fn() = check;
