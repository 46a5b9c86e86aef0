//! Events for which the kernel did not run a program, so that no program could count them.
//!
//! While a tracing program is preempted or interrupted, the kernel does not run the same program again on that CPU, and
//! counts that (`recursion_misses` of `bpf_prog_info`, Linux 5.12). Seen on 7.3 with two busy CPUs. An event that the backup
//! program reported is not lost.

use std::{fs, io, os::fd::AsFd as _, os::fd::AsRawFd as _};

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
    programs::{BtfTracePoint, ProgramError, ProgramFd},
};
use collector_common::{Counters, Kind, Loss};

use super::{backup::Backups, error::LoadError, hooks::backup_of, object::take, wire::Wire};

/// Programs that the kernel may skip, and the kind of record of each. It never skips those at cgroups.
const PROGRAMS: [(&str, Kind); 4] = [
    ("sched_process_fork", Kind::Fork),
    ("sched_process_exec", Kind::Exec),
    ("sched_process_exit", Kind::Exit),
    ("inet_sock_set_state", Kind::ConnectResult),
];

/// The line of /proc/PID/fdinfo/FD with the count.
const LINE: &str = "recursion_misses:";

/// The map with the number of events that backup programs reported, by kind.
const BACKUP_REPORTS: &str = "BACKUP_REPORTS";

type BackupReports = [u64; Kind::COUNT];

/// Counts the misses of programs, also after they were detached.
pub(super) struct Misses {
    programs: Vec<Watched>,
    backup_reports: PerCpuArray<MapData, Wire<BackupReports>>,
}

struct Watched {
    kind: Kind,
    primary: ProgramFd,
    backup: Option<ProgramFd>,
}

impl Misses {
    /// Of the programs that are loaded.
    pub(super) fn of(ebpf: &mut Ebpf, backups: Backups) -> Result<Self, LoadError> {
        let mut programs = Vec::new();
        for (name, kind) in PROGRAMS {
            // Without connections that hook is not loaded.
            let Some(primary) = descriptor(ebpf, name)? else { continue };
            let backup = match backup_of(name, backups) {
                Some(name) => descriptor(ebpf, name)?,
                None => None,
            };
            programs.push(Watched { kind, primary, backup });
        }
        Ok(Self { programs, backup_reports: take(ebpf, BACKUP_REPORTS)? })
    }

    /// Adds each event that no program reported as seen and lost, with the cause [`Loss::ReserveFailed`]. An upper bound: the
    /// fork or exit of a thread, and any other change of a socket's state, would have made no record.
    pub(super) fn add_to(&self, counters: &mut Counters) -> io::Result<()> {
        let mut missed = Vec::new();
        for Watched { kind, primary, backup } in &self.programs {
            missed.push((kind, misses(primary)?, backup.as_ref().map(misses).transpose()?));
        }
        // Read last, so that it includes the backup's report of each miss read above.
        let reports = self.backup_reports.get(&0, 0).map_err(io::Error::other)?;
        for (kind, primary, backup) in missed {
            let reported = reports.iter().filter_map(|Wire(counts)| counts.get(kind.index())).sum();
            let unseen = lost(primary, backup, reported);
            if let Some(seen) = counters.seen.get_mut(kind.index()) {
                *seen += unseen;
            }
            let lost = counters.lost.get_mut(kind.index());
            if let Some(lost) = lost.and_then(|lost| lost.get_mut(Loss::ReserveFailed.index())) {
                *lost += unseen;
            }
        }
        Ok(())
    }
}

/// Events that neither program reported: `min(primary - reported, backup)`, from the misses of both and the number of events
/// that the backup reported. A miss of the backup alone loses nothing, since the primary has run.
fn lost(primary: u64, backup: Option<u64>, reported: u64) -> u64 {
    backup.map_or(primary, |backup| primary.saturating_sub(reported).min(backup))
}

/// `None` for a program that is not loaded.
fn descriptor(ebpf: &Ebpf, name: &str) -> Result<Option<ProgramFd>, LoadError> {
    let failed = |source: ProgramError| LoadError::misses(source);
    let Some(program) = ebpf.program(name) else { return Ok(None) };
    let program: &BtfTracePoint = program.try_into().map_err(failed)?;
    match program.fd() {
        Ok(fd) => Ok(Some(fd.try_clone().map_err(|error| failed(ProgramError::IOError(error)))?)),
        Err(ProgramError::NotLoaded) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn misses(program: &ProgramFd) -> io::Result<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_fd().as_raw_fd()))?;
    Ok(misses_in(&info))
}

/// 0 before Linux 5.12, which has no such line.
fn misses_in(info: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(LINE));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{lost, misses_in};

    #[test]
    fn an_event_that_the_backup_reported_is_not_lost() {
        assert_eq!(lost(3, None, 0), 3);
        assert_eq!(lost(3, Some(0), 3), 0);
        assert_eq!(lost(3, Some(1), 2), 1);
        // The backup was skipped behind a primary that ran.
        assert_eq!(lost(3, Some(2), 3), 0);
        // The primary was skipped, and the backup is about to report.
        assert_eq!(lost(4, Some(0), 3), 0);
    }

    #[test]
    fn misses_are_read_if_the_kernel_reports_them() {
        let info = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nrun_cnt:\t0\nrecursion_misses:\t17\nverified_insns:\t9\n";
        assert_eq!(misses_in(info), 17);
        assert_eq!(misses_in("pos:\t0\nprog_type:\t26\n"), 0);
    }
}
