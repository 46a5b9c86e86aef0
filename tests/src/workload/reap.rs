//! The end of a child, as wait4(2) reports it.

use std::{io, mem::MaybeUninit, time::Duration};

use crate::wait::until;

/// What a child ended with and what it used.
#[derive(Clone, Copy, Debug)]
pub struct Reaped {
    /// The code that it gave to exit(2), unless it was killed.
    pub exit_code: Option<u64>,
    /// The signal that killed it.
    pub signal: Option<u64>,
    /// Whether there is a core dump.
    pub core_dumped: bool,
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Peak of resident memory, in bytes.
    pub max_rss_bytes: u64,
}

/// Waits until a child has ended, and takes it out of the kernel's table.
pub fn reap(pid: u32) -> Reaped {
    let pid = libc::pid_t::try_from(pid).unwrap();
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    let waited = until("the end of a child", || {
        // SAFETY: wait4(2) requires room for a status and for an rusage; both are locals that outlive the call.
        let waited = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
        (waited != 0).then_some(waited)
    });
    assert_eq!(waited, pid, "wait4({pid}): {}", io::Error::last_os_error());
    // SAFETY: `assume_init` requires that all bytes were written; wait4(2) fills the whole rusage when it returns a pid.
    let usage = unsafe { usage.assume_init() };
    let killed = libc::WIFSIGNALED(status);
    Reaped {
        exit_code: libc::WIFEXITED(status).then(|| number(libc::WEXITSTATUS(status))),
        signal: killed.then(|| number(libc::WTERMSIG(status))),
        core_dumped: killed && libc::WCOREDUMP(status),
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap() * 1024,
    }
}

fn number(part_of_status: libc::c_int) -> u64 {
    u64::try_from(part_of_status).unwrap()
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap())
        + Duration::from_micros(u64::try_from(time.tv_usec).unwrap())
}
