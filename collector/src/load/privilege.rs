//! What the process may do.

use procfs::process::Process;

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

/// What is needed. The first three stand for parts of `CAP_SYS_ADMIN` since Linux 5.8, which covers them.
const REQUIRED: [Capability; 5] = [
    Capability { bit: 39, name: "CAP_BPF", why: "programs and maps cannot be created" },
    Capability { bit: 38, name: "CAP_PERFMON", why: "tracing programs cannot be loaded" },
    Capability { bit: 12, name: "CAP_NET_ADMIN", why: "cgroup programs cannot be attached" },
    Capability { bit: 19, name: "CAP_SYS_PTRACE", why: "/proc of other users' processes cannot be read" },
    Capability { bit: 2, name: "CAP_DAC_READ_SEARCH", why: "images cannot be read for their digests" },
];

/// The capabilities that the process lacks; all of them where /proc does not tell.
#[must_use]
pub fn missing_capabilities() -> Vec<Capability> {
    let effective = Process::myself().and_then(|process| process.status()).map_or(0, |status| status.capeff);
    missing_from(effective)
}

/// Those that a set of effective capabilities, as proc(5) tells it in `CapEff`, lacks.
pub(crate) fn missing_from(effective: u64) -> Vec<Capability> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    let covered = |bit: u32| has(bit) || (bit >= 38 && has(SYS_ADMIN));
    REQUIRED.into_iter().filter(|capability| !covered(capability.bit)).collect()
}

#[cfg(test)]
mod tests {
    use super::{SYS_ADMIN, missing_from};

    #[test]
    fn an_old_root_without_cap_bpf_is_enough_with_cap_sys_admin() {
        let old_root = (1 << SYS_ADMIN) | (1 << 12) | (1 << 19) | (1 << 2);
        assert!(missing_from(old_root).is_empty());
    }

    #[test]
    fn nothing_held_is_everything_missing() {
        assert_eq!(missing_from(0).len(), 5);
    }
}
