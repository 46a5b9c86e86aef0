//! The end of a process.

use collector_common::ExitRecord;

use crate::{
    event::{self, Event},
    signal::signal_name,
};

/// Adds how and when a process ended, and what it used.
pub(crate) fn add_exit(event: &mut Event, exit: &ExitRecord, page_size: u64) {
    let Some(process) = &mut event.process else { return };
    process.end = Some(event.timestamp);
    process.uptime = Some(exit.header.time_ns.saturating_sub(exit.task.start_ns) / 1_000_000_000);
    (process.exit_code, process.exit) = status(exit.exit_code);
    process.usage = Some(usage(exit, page_size));
}

/// The status as wait(2) has it: a code, or the signal that killed the process.
fn status(code: u32) -> (Option<u32>, Option<event::Exit>) {
    let signal = code & 0x7f;
    if signal == 0 {
        return (Some((code >> 8) & 0xff), None);
    }
    let exit = event::Exit {
        signal: Some(signal),
        signal_name: signal_name(signal).map(Into::into),
        core_dumped: Some(code & 0x80 != 0),
    };
    (None, Some(exit))
}

fn usage(exit: &ExitRecord, page_size: u64) -> event::Usage {
    let (user_ns, system_ns) = cpu_times(exit.utime_ns, exit.stime_ns, exit.runtime_ns);
    event::Usage {
        user_ns: Some(user_ns),
        system_ns: Some(system_ns),
        max_rss_bytes: Some(exit.max_rss_pages.saturating_mul(page_size)),
    }
}

/// Splits the measured CPU time in the proportion that the timer ticks found, as `cputime_adjust` of the kernel does.
fn cpu_times(utime_ns: u64, stime_ns: u64, runtime_ns: u64) -> (u64, u64) {
    if stime_ns == 0 {
        return (runtime_ns, 0);
    }
    if utime_ns == 0 {
        return (0, runtime_ns);
    }
    let (stime, sum) = (u128::from(stime_ns), u128::from(utime_ns) + u128::from(stime_ns));
    let system = u64::try_from(stime * u128::from(runtime_ns) / sum).unwrap_or(runtime_ns);
    (runtime_ns - system, system)
}

#[cfg(test)]
mod tests {
    use super::{cpu_times, status};

    #[test]
    fn the_code_given_to_exit_is_the_exit_code() {
        assert_eq!(status(3 << 8), (Some(3), None));
        assert_eq!(status(0), (Some(0), None));
    }

    #[test]
    fn a_killed_process_has_a_signal_and_no_code() {
        let (code, exit) = status(0x0b | 0x80);
        let exit = exit.unwrap();
        assert_eq!(code, None);
        assert_eq!(
            (exit.signal, exit.signal_name.as_deref(), exit.core_dumped),
            (Some(11), Some("SIGSEGV"), Some(true))
        );
    }

    #[test]
    fn the_measured_time_is_split_in_the_proportion_of_the_ticks() {
        assert_eq!(cpu_times(3, 1, 8_000), (6_000, 2_000));
        assert_eq!(cpu_times(0, 0, 50), (50, 0));
        assert_eq!(cpu_times(0, 4, 50), (0, 50));
    }

    #[test]
    fn a_life_of_centuries_does_not_overflow() {
        assert_eq!(cpu_times(u64::MAX, u64::MAX, u64::MAX), (u64::MAX - u64::MAX / 2, u64::MAX / 2));
    }
}
