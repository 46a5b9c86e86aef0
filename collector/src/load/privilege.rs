//! The capabilities that the agent needs, and those that it lacks.

use rustix::{process::geteuid, thread::capabilities};

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

/// The effective capabilities of this thread, by capget(2): it needs no /proc, which a chroot may lack.
#[must_use]
pub(crate) fn effective_capabilities() -> u64 {
    // The call fails for a thread that is not there, and this one is.
    capabilities(None).map_or(0, |sets| sets.effective.bits())
}

/// The capabilities that the process lacks.
#[must_use]
pub fn missing_capabilities() -> Vec<Capability> {
    missing_from(effective_capabilities())
}

/// Those that a set of effective capabilities lacks; bit *n* of the set is capability *n*.
pub(crate) fn missing_from(effective: u64) -> Vec<Capability> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    let covered = |bit: u32| has(bit) || (bit >= 38 && has(SYS_ADMIN));
    REQUIRED.into_iter().filter(|capability| !covered(capability.bit)).collect()
}

/// What the user can do about capabilities that are missing.
pub(crate) fn advice(missing: &[Capability]) -> String {
    advice_to(geteuid().as_raw(), missing)
}

/// The same for this effective user. Root without a capability is in a container or in a service that drops it.
pub(crate) fn advice_to(uid: u32, missing: &[Capability]) -> String {
    let names: Vec<&str> = missing.iter().map(|capability| capability.name()).collect();
    let list = names.join(" ");
    if uid != 0 {
        return format!("run it as root (sudo collector …), or give its service AmbientCapabilities={list}");
    }
    let short = |name: &&str| format!("--cap-add {}", name.trim_start_matches("CAP_"));
    let flags: Vec<String> = names.iter().map(short).collect();
    format!(
        "root lacks {} here: add to the container {}, or to CapabilityBoundingSet= of the service {list}",
        if names.len() == 1 { "it" } else { "them" },
        flags.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use ::procfs::process::Process;

    use super::{SYS_ADMIN, advice_to, missing_capabilities, missing_from};

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
    fn the_missing_capabilities_are_those_that_proc_shows() {
        let status = Process::myself().and_then(|process| process.status()).unwrap();
        assert_eq!(missing_capabilities(), missing_from(status.capeff));
    }

    #[test]
    fn root_is_advised_to_add_the_capability_and_another_user_to_become_root() {
        let missing = missing_from(!(1 << 12));
        let root = advice_to(0, &missing);
        assert!(root.contains("--cap-add NET_ADMIN") && !root.contains("as root"), "{root}");
        let other = advice_to(1000, &missing);
        assert!(other.contains("as root") && other.contains("AmbientCapabilities=CAP_NET_ADMIN"), "{other}");
    }
}
