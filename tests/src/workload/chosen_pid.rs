//! A fork whose child has a process id of the caller's choice: clone3(2) with `set_tid`, Linux 5.5.
//!
//! Writing to `/proc/sys/kernel/ns_last_pid` before a fork would only steer the kernel's choice, and on a busy machine another
//! process takes the id first.

use std::io;

/// Forks a child with this process id. Answers with the child's id, or with 0 in the child.
///
/// # Errors
///
/// `EEXIST` while a process has this id, also one that has ended and was not waited for.
///
/// # Safety
///
/// In a program with threads the child may call only what is safe in a signal handler, as after fork(2).
pub unsafe fn fork_as(pid: u32) -> io::Result<libc::pid_t> {
    let chosen = libc::pid_t::try_from(pid).unwrap();
    let args = libc::clone_args {
        flags: 0,
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: u64::try_from((&raw const chosen).addr()).unwrap(),
        set_tid_size: 1,
        cgroup: 0,
    };
    // SAFETY: clone3(2) requires its arguments, which point to one id; both are locals that outlive the call. Without a
    // stack it is as fork(2), whose rule the caller keeps.
    let child = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(libc::pid_t::try_from(child).unwrap())
}
