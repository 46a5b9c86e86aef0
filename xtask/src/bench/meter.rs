//! CPU time and memory of processes, from /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// `USER_HZ`, the unit of times in /proc/PID/stat: 100 a second on every Linux that the agent is built for.
const TICK: Duration = Duration::from_millis(10);
/// proc(5): the state is field 3, the first after the closing parenthesis; `utime` is field 14 and `stime`
/// field 15.
const UTIME_BEHIND_STATE: usize = 10;

/// The CPU time of a process: all threads, user and kernel. A process that has ended is an error, a zombie
/// too, because its constant time would look like rest.
///
/// The sum of both is exact to a tick: the kernel scales them to what the scheduler measured.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let ticks = ticks(&stat).with_context(|| format!("no times of a running process in {path}"))?;
    Ok(TICK * ticks)
}

fn ticks(stat: &str) -> Option<u32> {
    let (_, behind_comm) = stat.rsplit_once(')')?;
    let mut fields = behind_comm.split_whitespace();
    fields.next().filter(|state| !matches!(*state, "Z" | "X"))?;
    let mut times = fields.skip(UTIME_BEHIND_STATE);
    let (user, system): (u32, u32) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(user + system)
}

/// A size of /proc/PID/status in bytes: `VmRSS` is resident memory, `VmHWM` its maximum.
///
/// A kernel thread has none, and counts as 0.
pub(super) fn memory(pid: u32, name: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(kilobytes(&status, name).unwrap_or(0) << 10)
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The kernel thread of this name; there is at most one.
pub(super) fn kernel_thread(comm: &str) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let found = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (found.trim_end() == comm).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_after_a_name_with_parentheses() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 25 17 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn a_process_that_has_ended_has_no_times() {
        let stat = "7 (a) Z 1 7 7 0 -1 4194560 1 2 3 4 25 17 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), None);
    }

    #[test]
    fn a_size_is_found_by_its_whole_name() {
        let status = "VmHWMs:\t1 kB\nVmHWM:\t  2048 kB\n";
        assert_eq!(kilobytes(status, "VmHWM"), Some(2048));
        assert_eq!(kilobytes(status, "VmRSS"), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(memory(std::process::id(), "VmHWM").unwrap() > 100_000);
    }
}
