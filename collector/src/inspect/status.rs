//! `status` and `limits`: state, signals, capabilities and resource limits, by name.

use std::{borrow::Cow, fmt::Write as _};

use procfs::{
    FromBufRead as _, FromRead as _,
    process::{Limit as SoftAndHard, LimitValue, Limits, Status as Parsed},
};

use super::{
    file::{self, parsed},
    missing::or_missing,
    model::{CapabilitySets, Inspection, Limit, Signals, State, Status},
};
use crate::{
    describe::capability::capability_names,
    procfs::{ProcFile, ProcessDir, ReadError, Stat},
    signal::signal_name,
};

/// Whether it has ended and its parent has not yet waited for it.
pub(super) fn is_zombie(process: &ProcessDir) -> bool {
    file::bytes(process, ProcFile::Stat)
        .is_ok_and(|line| Stat::parse(&line).is_some_and(|stat| stat.is_dead()))
}

/// Adds the status and the limits.
pub(super) fn add(inspection: &mut Inspection, process: &ProcessDir) {
    let read = status(process);
    inspection.status = or_missing(inspection, "status", read).map(|parsed| to_status(&parsed));
    let read = limits(process);
    inspection.limits = or_missing(inspection, "limits", read).map(|parsed| rows(&parsed));
}

/// `status`, parsed.
pub(super) fn status(process: &ProcessDir) -> Result<Parsed, ReadError> {
    parsed(process, ProcFile::Status, |bytes| Parsed::from_read(bytes))
}

fn limits(process: &ProcessDir) -> Result<Limits, ReadError> {
    parsed(process, ProcFile::Limits, |bytes| Limits::from_buf_read(bytes))
}

fn to_status(parsed: &Parsed) -> Status {
    Status {
        state: State::of(parsed.state.bytes().next().unwrap_or_default()),
        threads: parsed.threads,
        umask: parsed.umask.map(|umask| format!("{umask:04o}")),
        tracer_pid: u32::try_from(parsed.tracerpid).ok().filter(|&pid| pid != 0),
        groups: parsed.groups.clone(),
        fd_slots: parsed.fdsize,
        voluntary_switches: parsed.voluntary_ctxt_switches,
        involuntary_switches: parsed.nonvoluntary_ctxt_switches,
        no_new_privs: parsed.nonewprivs.map(|set| set != 0),
        seccomp: parsed.seccomp.map(seccomp),
        cpus_allowed: parsed.cpus_allowed_list.as_deref().map(ranges),
        signals_queued: parsed.sigq.0,
        signals_queued_max: parsed.sigq.1,
        signals: Signals {
            pending: signals(parsed.sigpnd),
            shared_pending: signals(parsed.shdpnd),
            blocked: signals(parsed.sigblk),
            ignored: signals(parsed.sigign),
            caught: signals(parsed.sigcgt),
        },
        capabilities: CapabilitySets {
            inheritable: capability_names(parsed.capinh),
            permitted: capability_names(parsed.capprm),
            effective: capability_names(parsed.capeff),
            bounding: parsed.capbnd.map(capability_names),
            ambient: parsed.capamb.map(capability_names),
        },
    }
}

/// `SECCOMP_MODE_*` of linux/seccomp.h.
fn seccomp(mode: u32) -> Cow<'static, str> {
    match mode {
        0 => "disabled".into(),
        1 => "strict".into(),
        2 => "filter".into(),
        other => other.to_string().into(),
    }
}

fn ranges(ranges: &[(u32, u32)]) -> String {
    ranges.iter().fold(String::new(), |mut text, (first, last)| {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{first}");
        if last > first {
            let _ = write!(text, "-{last}");
        }
        text
    })
}

/// Names of the signals in a mask: bit 0 is signal 1.
fn signals(mask: u64) -> Vec<Cow<'static, str>> {
    (0..u64::BITS).filter(|bit| mask & (1 << bit) != 0).filter_map(|bit| signal_name(bit + 1)).collect()
}

fn rows(limits: &Limits) -> Vec<Limit> {
    let row = |name, limit: SoftAndHard, unit| Limit {
        name,
        soft: finite(limit.soft_limit),
        hard: finite(limit.hard_limit),
        unit,
    };
    vec![
        row("RLIMIT_CPU", limits.max_cpu_time, Some("seconds")),
        row("RLIMIT_FSIZE", limits.max_file_size, Some("bytes")),
        row("RLIMIT_DATA", limits.max_data_size, Some("bytes")),
        row("RLIMIT_STACK", limits.max_stack_size, Some("bytes")),
        row("RLIMIT_CORE", limits.max_core_file_size, Some("bytes")),
        row("RLIMIT_RSS", limits.max_resident_set, Some("bytes")),
        row("RLIMIT_NPROC", limits.max_processes, Some("threads")),
        row("RLIMIT_NOFILE", limits.max_open_files, Some("files")),
        row("RLIMIT_MEMLOCK", limits.max_locked_memory, Some("bytes")),
        row("RLIMIT_AS", limits.max_address_space, Some("bytes")),
        row("RLIMIT_LOCKS", limits.max_file_locks, Some("locks")),
        row("RLIMIT_SIGPENDING", limits.max_pending_signals, Some("signals")),
        row("RLIMIT_MSGQUEUE", limits.max_msgqueue_size, Some("bytes")),
        row("RLIMIT_NICE", limits.max_nice_priority, None),
        row("RLIMIT_RTPRIO", limits.max_realtime_priority, None),
        row("RLIMIT_RTTIME", limits.max_realtime_timeout, Some("microseconds")),
    ]
}

fn finite(value: LimitValue) -> Option<u64> {
    match value {
        LimitValue::Unlimited => None,
        LimitValue::Value(value) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{ranges, signals};

    #[test]
    fn the_lowest_bit_of_a_mask_is_signal_1() {
        assert_eq!(signals(0x4001), ["SIGHUP", "SIGTERM"]);
        assert_eq!(signals(1 << 63), ["SIGRTMIN+32"]);
    }

    #[test]
    fn ranges_are_written_as_the_kernel_writes_them() {
        assert_eq!(ranges(&[(0, 3), (8, 8)]), "0-3,8");
    }
}
