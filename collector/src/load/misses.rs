//! Events that the kernel did not run a program for, of which no program can tell.
//!
//! A kernel that lets tracing programs be preempted does not run one on a CPU where the same program was interrupted, and
//! counts that (`recursion_misses` of `bpf_prog_info`, Linux 5.12). So does one where an interrupt would run the program that it
//! interrupted. Seen on 7.3 with two busy CPUs. What the program that stands by has told is not lost.

use std::{fs, io, os::fd::AsFd as _, os::fd::AsRawFd as _};

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
    programs::{BtfTracePoint, ProgramError, ProgramFd},
};
use collector_common::{Counters, Kind, Loss};

use super::{LoadError, hooks::standby_of, standby::Standby, take, wire::Wire};

/// Programs that may be missed, and what each would have sent. Those at cgroups have no such guard, and are run.
const PROGRAMS: [(&str, Kind); 4] = [
    ("sched_process_fork", Kind::Fork),
    ("sched_process_exec", Kind::Exec),
    ("sched_process_exit", Kind::Exit),
    ("inet_sock_set_state", Kind::ConnectResult),
];

/// The line of /proc/PID/fdinfo/FD.
const LINE: &str = "recursion_misses:";

/// How often a second program told what the first was not run for, by kind.
const STOOD_IN: &str = "STOOD_IN";

type StoodIn = [u64; Kind::COUNT];

/// Programs whose misses are counted, be they detached by now.
pub(super) struct Misses {
    programs: Vec<Watched>,
    stood_in: PerCpuArray<MapData, Wire<StoodIn>>,
}

struct Watched {
    kind: Kind,
    first: ProgramFd,
    /// The one that stands by.
    second: Option<ProgramFd>,
}

impl Misses {
    /// Of the programs that are loaded.
    pub(super) fn of(ebpf: &mut Ebpf, standby: Standby) -> Result<Self, LoadError> {
        let mut programs = Vec::new();
        for (name, kind) in PROGRAMS {
            // Without connections that hook is not loaded.
            let Some(first) = descriptor(ebpf, name)? else { continue };
            let second = match standby_of(name, standby) {
                Some(name) => descriptor(ebpf, name)?,
                None => None,
            };
            programs.push(Watched { kind, first, second });
        }
        let stood_in = PerCpuArray::try_from(take(ebpf, STOOD_IN)?)
            .map_err(|source| LoadError::Map { map: STOOD_IN, source })?;
        Ok(Self { programs, stood_in })
    }

    /// Counts each event that no program was run for as seen and lost, for want of a place to build its record in. At most
    /// as many were lost: a thread's fork or exit, and another change of a socket's state, would have made none.
    pub(super) fn add_to(&self, counters: &mut Counters) -> io::Result<()> {
        let mut missed = Vec::new();
        for Watched { kind, first, second } in &self.programs {
            missed.push((kind, misses(first)?, second.as_ref().map(misses).transpose()?));
        }
        // Asked last, so that nothing is missed here whose second program has told it and was not counted.
        let stood_in = self.stood_in.get(&0, 0).map_err(io::Error::other)?;
        for (kind, first, second) in missed {
            let told = stood_in.iter().filter_map(|Wire(counts)| counts.get(kind.index())).sum();
            let unseen = lost(first, second, told);
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

/// What neither program told, of the misses of both and of what the second told in the place of the first. What is lost was
/// missed by both, and a miss of the second behind a first that was run loses nothing.
fn lost(first: u64, second: Option<u64>, told: u64) -> u64 {
    second.map_or(first, |second| first.saturating_sub(told).min(second))
}

/// `None` for a program that is not loaded.
fn descriptor(ebpf: &Ebpf, name: &str) -> Result<Option<ProgramFd>, LoadError> {
    let failed = |source| LoadError::Misses { source: Box::new(source) };
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
    fn what_the_second_program_told_is_not_lost() {
        assert_eq!(lost(3, None, 0), 3);
        assert_eq!(lost(3, Some(0), 3), 0);
        assert_eq!(lost(3, Some(1), 2), 1);
        // The second was missed behind a first that was run.
        assert_eq!(lost(3, Some(2), 3), 0);
        // The first was missed, and the second is about to tell it.
        assert_eq!(lost(4, Some(0), 3), 0);
    }

    #[test]
    fn misses_are_read_where_the_kernel_tells_them() {
        let info = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nrun_cnt:\t0\nrecursion_misses:\t17\nverified_insns:\t9\n";
        assert_eq!(misses_in(info), 17);
        assert_eq!(misses_in("pos:\t0\nprog_type:\t26\n"), 0);
    }
}
