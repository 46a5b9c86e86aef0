//! What the process may do, and how much memory it may lock.

use std::io;

use aya::{maps::MapType, sys::is_map_supported};
use procfs::{KernelVersion, process::Process};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit};

use super::{check::Check, namespace::Namespace};
use crate::load::{Capability, missing_capabilities};

/// The check whose failure is for want of privilege, and not of the kernel.
pub(super) const NAME: &str = "privileges";

/// `CAP_SYS_RESOURCE` of `include/uapi/linux/capability.h`.
const SYS_RESOURCE: u64 = 1 << 24;

/// What the process may do.
pub(super) struct Privileges {
    /// Effective user.
    pub(super) uid: u32,
    /// What it lacks.
    pub(super) missing: Vec<Capability>,
    /// Whether capabilities hold for the machine, and not only within a user namespace.
    pub(super) in_initial_user_namespace: bool,
    /// Whether the kernel has ring buffers, or how bpf(2) was refused; `None` where it was not tried.
    pub(super) ring_buffer: Option<io::Result<bool>>,
}

impl Privileges {
    /// Asks /proc, and with the capabilities bpf(2) itself: a seccomp filter or a security module may refuse it.
    pub(super) fn read() -> Self {
        let missing = missing_capabilities();
        let in_initial_user_namespace = Namespace::User.is_initial();
        let may = missing.is_empty() && in_initial_user_namespace;
        let ring_buffer = may.then(|| is_map_supported(MapType::RingBuf).map_err(|refusal| refusal.io_error));
        Self { uid: geteuid().as_raw(), missing, in_initial_user_namespace, ring_buffer }
    }

    /// Whether everything is there that programs take to be loaded.
    pub(super) fn suffice(&self) -> bool {
        matches!(self.ring_buffer, Some(Ok(_)))
    }

    pub(super) fn check(&self) -> Check {
        let everything = "everything: programs cannot be loaded and attached";
        if !self.missing.is_empty() {
            return self.missing_check();
        }
        if !self.in_initial_user_namespace {
            let found =
                "capabilities in a user namespace only, where the kernel gives them no power over BPF";
            return Check::fail(NAME, found, everything, "run it as root outside of the user namespace");
        }
        if let Some(Err(refusal)) = &self.ring_buffer {
            let found = format!("all capabilities, but bpf(2) is refused: {refusal}");
            let advice = "allow bpf(2) in the seccomp filter or security module of the service or container; before \
                          Linux 5.11 the memlock limit may be the cause as well";
            return Check::fail(NAME, found, everything, advice);
        }
        Check::ok(NAME, format!("uid {}, with all capabilities that are needed", self.uid))
    }

    fn missing_check(&self) -> Check {
        let uid = self.uid;
        let names: Vec<&str> = self.missing.iter().map(|capability| capability.name()).collect();
        let why: Vec<String> = self
            .missing
            .iter()
            .map(|capability| format!("{} ({})", capability.why(), capability.name()))
            .collect();
        let advice = if uid == 0 {
            "give the service or container these capabilities".to_owned()
        } else {
            format!("run it as root, or give the service AmbientCapabilities={}", names.join(" "))
        };
        let found = format!("not privileged: uid {uid}, without {}", names.join(", "));
        Check::fail(NAME, found, why.join("; "), advice)
    }

    /// The map that records go through.
    pub(super) fn ring_buffer_check(&self) -> Check {
        let name = "ring-buffer";
        match self.ring_buffer {
            Some(Ok(true)) => Check::ok(name, "supported"),
            Some(Ok(false)) => {
                let affects = "everything: records have no way from the kernel to the agent";
                Check::fail(name, "the kernel has none", affects, "boot Linux 5.8 or newer")
            }
            Some(Err(_)) | None => Check::not_tried(name, NAME),
        }
    }
}

/// How much memory the process may lock: before Linux 5.11 maps count against it.
pub(super) fn memlock(kernel: Option<KernelVersion>) -> Check {
    let status = Process::myself().and_then(|process| process.status());
    let has_sys_resource = status.is_ok_and(|status| status.capeff & SYS_RESOURCE != 0);
    memlock_check(getrlimit(Resource::Memlock), has_sys_resource, kernel)
}

fn memlock_check(limit: Rlimit, has_sys_resource: bool, kernel: Option<KernelVersion>) -> Check {
    let name = "memlock";
    let Some(current) = limit.current else { return Check::ok(name, "unlimited") };
    let found = format!("{} KiB", current / 1024);
    if kernel.is_none_or(|kernel| kernel >= KernelVersion::new(5, 11, 0)) {
        return Check::ok(name, format!("{found}, which no longer counts for BPF since Linux 5.11"));
    }
    if has_sys_resource || limit.maximum.is_none() {
        return Check::ok(name, format!("{found}, and the agent can raise it"));
    }
    let affects = "creating maps, which this kernel counts against the limit";
    let advice = "LimitMEMLOCK=infinity for the service, ulimit -l unlimited in a shell, or CAP_SYS_RESOURCE";
    Check::warn(name, format!("{found}, and the agent cannot raise it"), affects, advice)
}

#[cfg(test)]
mod tests {
    use std::io;

    use procfs::KernelVersion;
    use rustix::process::Rlimit;

    use super::{Privileges, memlock_check};
    use crate::{
        doctor::check::{Check, Status},
        load::missing_from,
    };

    #[track_caller]
    fn check(found: &Check, status: Status, words: &str) {
        assert_eq!(found.status, status, "{found:?}");
        assert!(found.found.contains(words), "{found:?}");
    }

    fn root() -> Privileges {
        Privileges {
            uid: 0,
            missing: Vec::new(),
            in_initial_user_namespace: true,
            ring_buffer: Some(Ok(true)),
        }
    }

    #[test]
    fn root_with_all_capabilities_is_ok() {
        check(&root().check(), Status::Ok, "uid 0");
        check(&root().ring_buffer_check(), Status::Ok, "supported");
        assert!(root().suffice());
    }

    #[test]
    fn each_missing_capability_is_named_with_what_fails_without_it() {
        let nobody = Privileges { uid: 65534, missing: missing_from(0), ring_buffer: None, ..root() };
        let found = nobody.check();
        check(&found, Status::Fail, "uid 65534, without CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN");
        assert!(found.affects.is_some_and(|why| why.contains("cannot be attached (CAP_NET_ADMIN)")));
        assert!(found.advice.is_some_and(|advice| advice.contains("as root")));
        check(&nobody.ring_buffer_check(), Status::Warn, "see privileges");
        assert!(!nobody.suffice());
    }

    #[test]
    fn root_without_capabilities_is_not_told_to_become_root() {
        let root = Privileges { missing: missing_from(0), ring_buffer: None, ..root() };
        assert!(root.check().advice.is_some_and(|advice| !advice.contains("as root")));
    }

    #[test]
    fn root_of_a_user_namespace_is_not_root() {
        let inner = Privileges { in_initial_user_namespace: false, ring_buffer: None, ..root() };
        check(&inner.check(), Status::Fail, "user namespace");
    }

    #[test]
    fn a_seccomp_filter_that_refuses_bpf_is_want_of_privilege() {
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let filtered = Privileges { ring_buffer: Some(Err(refused)), ..root() };
        check(&filtered.check(), Status::Fail, "bpf(2) is refused: Operation not permitted");
        assert!(!filtered.suffice());
    }

    #[test]
    fn a_kernel_without_ring_buffers_is_a_failure_of_its_own() {
        let old = Privileges { ring_buffer: Some(Ok(false)), ..root() };
        check(&old.check(), Status::Ok, "all capabilities");
        check(&old.ring_buffer_check(), Status::Fail, "none");
    }

    #[test]
    fn a_limit_on_locked_memory_matters_before_linux_5_11_only() {
        let limit = || Rlimit { current: Some(65536), maximum: Some(65536) };
        let (old, new) = (KernelVersion::new(5, 10, 200), KernelVersion::new(5, 11, 0));
        check(&memlock_check(limit(), false, Some(old)), Status::Warn, "64 KiB, and the agent cannot");
        check(&memlock_check(limit(), true, Some(old)), Status::Ok, "can raise it");
        check(&memlock_check(limit(), false, Some(new)), Status::Ok, "no longer counts");
        check(&memlock_check(limit(), false, None), Status::Ok, "no longer counts");
    }

    #[test]
    fn a_limit_below_an_unlimited_maximum_can_be_raised_by_anyone() {
        let limit = Rlimit { current: Some(65536), maximum: None };
        check(&memlock_check(limit, false, Some(KernelVersion::new(5, 10, 0))), Status::Ok, "can raise it");
    }

    #[test]
    fn unlimited_memory_is_ok_on_any_kernel() {
        let limit = Rlimit { current: None, maximum: None };
        check(&memlock_check(limit, false, Some(KernelVersion::new(5, 8, 0))), Status::Ok, "unlimited");
    }
}
