//! Events that the kernel did not run a program for, of which no program can tell.
//!
//! A kernel that lets tracing programs be preempted does not run one on a CPU where the same program was interrupted, and
//! counts that (`recursion_misses` of `bpf_prog_info`, Linux 5.12). Seen on 7.3 with two busy CPUs; never on 6.18. Where
//! programs stand by, what both were not run for is lost, and that is never more than the misses of the second.

use std::{fs, io, os::fd::AsFd as _, os::fd::AsRawFd as _};

use aya::{
    Ebpf,
    programs::{BtfTracePoint, ProgramError, ProgramFd},
};
use collector_common::{Counters, Kind, Loss};

use super::{hooks::last_program, standby::Standby};

/// Programs that may be missed, and what each would have sent. Those at cgroups have no such guard, and are run.
const PROGRAMS: [(&str, Kind); 4] = [
    ("sched_process_fork", Kind::Fork),
    ("sched_process_exec", Kind::Exec),
    ("sched_process_exit", Kind::Exit),
    ("inet_sock_set_state", Kind::ConnectResult),
];

/// The line of /proc/PID/fdinfo/FD.
const LINE: &str = "recursion_misses:";

/// Programs whose misses are counted, be they detached by now.
#[derive(Debug, Default)]
pub(super) struct Misses {
    programs: Vec<(Kind, ProgramFd)>,
}

impl Misses {
    /// Of the programs that are loaded, the last at each hook.
    pub(super) fn of(ebpf: &Ebpf, standby: Standby) -> Result<Self, ProgramError> {
        let mut programs = Vec::new();
        for (name, kind) in PROGRAMS {
            let Some(program) = ebpf.program(last_program(name, standby)) else { continue };
            let program: &BtfTracePoint = program.try_into()?;
            match program.fd() {
                Ok(fd) => programs.push((kind, fd.try_clone()?)),
                // Without connections that hook is not loaded.
                Err(ProgramError::NotLoaded) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { programs })
    }

    /// Counts each miss as an event that was seen and lost, for want of a place to build its record in. At most as many
    /// events were lost: a thread's fork or exit, and another change of a socket's state, would have made none.
    pub(super) fn add_to(&self, counters: &mut Counters) -> io::Result<()> {
        for (kind, program) in &self.programs {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_fd().as_raw_fd()))?;
            let missed = misses_in(&info);
            if let Some(seen) = counters.seen.get_mut(kind.index()) {
                *seen += missed;
            }
            let lost = counters.lost.get_mut(kind.index());
            if let Some(lost) = lost.and_then(|lost| lost.get_mut(Loss::ReserveFailed.index())) {
                *lost += missed;
            }
        }
        Ok(())
    }
}

/// 0 before Linux 5.12, which has no such line.
fn misses_in(info: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(LINE));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::misses_in;

    #[test]
    fn misses_are_read_where_the_kernel_tells_them() {
        let info = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nrun_cnt:\t0\nrecursion_misses:\t17\nverified_insns:\t9\n";
        assert_eq!(misses_in(info), 17);
        assert_eq!(misses_in("pos:\t0\nprog_type:\t26\n"), 0);
    }
}
