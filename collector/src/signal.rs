//! Names of signals: signal(7), with the numbers that x86 and arm share.

use std::borrow::Cow;

/// Names of the signals 1 to 31.
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];
/// The first real-time signal by the kernel's count. The C library reserves two of them.
const REAL_TIME: u32 = 32;

/// The name of a signal: `SIGKILL`, `SIGRTMIN+2` (by the kernel's count).
#[must_use]
pub fn signal_name(signal: u32) -> Option<Cow<'static, str>> {
    if (REAL_TIME..=64).contains(&signal) {
        return Some(format!("SIGRTMIN+{}", signal - REAL_TIME).into());
    }
    let index = usize::try_from(signal).ok()?.checked_sub(1)?;
    NAMES.get(index).map(|&name| name.into())
}

#[cfg(test)]
mod tests {
    use super::signal_name;

    #[test]
    fn signals_have_the_numbers_of_the_system_headers() {
        for (number, name) in [
            (libc::SIGHUP, "SIGHUP"),
            (libc::SIGKILL, "SIGKILL"),
            (libc::SIGSEGV, "SIGSEGV"),
            (libc::SIGSYS, "SIGSYS"),
        ] {
            assert_eq!(signal_name(number.try_into().unwrap()).as_deref(), Some(name));
        }
    }

    #[test]
    fn other_numbers_have_no_name() {
        assert_eq!(signal_name(0), None);
        assert_eq!(signal_name(65), None);
    }
}
