//! Which capabilities the agent needs and has.

use rustix::thread::capabilities;

/// A capability that the agent needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    bit: u32,
    name: &'static str,
    why: &'static str,
}

impl Capability {
    /// `CAP_…`
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// What fails without it.
    #[must_use]
    pub fn why(self) -> &'static str {
        self.why
    }
}

/// `include/uapi/linux/capability.h`
const SYS_ADMIN: u32 = 21;

/// The required capabilities. `CAP_SYS_ADMIN` includes the first two, which are separate since Linux 5.8.
const REQUIRED: [Capability; 5] = [
    Capability { bit: 39, name: "CAP_BPF", why: "programs and maps cannot be created" },
    Capability { bit: 38, name: "CAP_PERFMON", why: "tracing programs cannot be loaded" },
    Capability { bit: 12, name: "CAP_NET_ADMIN", why: "cgroup programs cannot be attached" },
    Capability { bit: 19, name: "CAP_SYS_PTRACE", why: "/proc of other users' processes cannot be read" },
    Capability { bit: 2, name: "CAP_DAC_READ_SEARCH", why: "images cannot be read for their digests" },
];

/// The capabilities that the calling thread lacks, by capget(2): it needs no /proc.
#[must_use]
pub fn missing_capabilities() -> Vec<Capability> {
    missing_from(capabilities(None).map_or(0, |sets| sets.effective.bits()))
}

/// The required capabilities that a set lacks: a bit for each, as in `CapEff` of proc(5).
pub(crate) fn missing_from(effective: u64) -> Vec<Capability> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    let covered = |bit: u32| has(bit) || (bit >= 38 && has(SYS_ADMIN));
    REQUIRED.into_iter().filter(|capability| !covered(capability.bit)).collect()
}

#[cfg(test)]
mod tests {
    use procfs::process::Process;

    use super::{SYS_ADMIN, missing_capabilities, missing_from};

    #[test]
    fn cap_sys_admin_includes_cap_bpf_and_cap_perfmon() {
        let old_root = (1 << SYS_ADMIN) | (1 << 12) | (1 << 19) | (1 << 2);
        assert!(missing_from(old_root).is_empty());
    }

    #[test]
    fn an_empty_set_lacks_all_required_capabilities() {
        assert_eq!(missing_from(0).len(), 5);
    }

    #[test]
    fn the_set_is_the_one_that_proc_shows() {
        let status = Process::myself().and_then(|process| process.status()).unwrap();
        assert_eq!(missing_capabilities(), missing_from(status.capeff));
    }
}
