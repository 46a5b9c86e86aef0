//! The end of a process.

use std::time::Instant;

use collector_common::ExitRecord;

use super::{Draft, Enricher, key_of};
use crate::{
    event::{self, Action},
    process::{KernelTimeNs, ProcessKey},
    signal::signal_name,
};

impl Enricher {
    pub(super) fn exit(&mut self, exit: &ExitRecord, now: Instant) -> Option<Draft> {
        // Before its end is noted: what is found in /proc only now is a zombie, and must not live on in the table.
        let process = self.known(&exit.task);
        let reaper = ProcessKey::new(exit.reaper_tgid, exit.reaper_start_ns);
        if !self.table.end(key_of(&exit.task), KernelTimeNs(exit.header.time_ns), reaper) {
            // Below 6.16 two threads that end at once may both take themselves for the last.
            return None;
        }
        if !self.tells(Action::Exit, &exit.header) {
            return None;
        }
        let mut draft = self.draft(Action::Exit, exit.header.time_ns);
        self.describe(&mut draft, &process, &exit.task, now);
        if let Some(process) = &mut draft.event.process {
            process.end = Some(draft.event.timestamp);
            process.uptime = Some(exit.header.time_ns.saturating_sub(exit.task.start_ns) / 1_000_000_000);
            (process.exit_code, process.exit) = status(exit.exit_code);
            process.usage = Some(usage(exit, self.machine.page_size));
        }
        Some(draft)
    }
}

/// The status as wait(2) tells it: a code, or how it was killed.
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

/// Splits the measured time on a CPU as the timer tick found it, as `cputime_adjust` of the kernel does.
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
    fn a_code_given_to_exit_is_the_exit_code() {
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
    fn the_measured_time_is_split_as_the_ticks_found_it() {
        assert_eq!(cpu_times(3, 1, 8_000), (6_000, 2_000));
        assert_eq!(cpu_times(0, 0, 50), (50, 0));
        assert_eq!(cpu_times(0, 4, 50), (0, 50));
    }

    #[test]
    fn a_life_of_centuries_does_not_overflow() {
        assert_eq!(cpu_times(u64::MAX, u64::MAX, u64::MAX), (u64::MAX - u64::MAX / 2, u64::MAX / 2));
    }
}
