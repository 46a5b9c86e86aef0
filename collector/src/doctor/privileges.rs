//! Which privileges the process has, and how much memory it may lock.

use std::io;

use aya::{maps::MapType, sys::is_map_supported};
use procfs::KernelVersion;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit};

use super::{check::Check, namespace::Namespace};
use crate::load::{Capability, advice_to, effective_capabilities, missing_capabilities};

/// The check that fails because privileges are missing, and not because of the kernel.
pub(super) const NAME: &str = "privileges";

/// `CAP_SYS_RESOURCE` of `include/uapi/linux/capability.h`.
const SYS_RESOURCE: u64 = 1 << 24;

/// The privileges of the process.
pub(super) struct Privileges {
    /// The effective user.
    pub(super) uid: u32,
    /// The capabilities that the agent needs and the process lacks.
    pub(super) missing: Vec<Capability>,
    /// Whether capabilities hold for the machine, and not for a user namespace alone.
    pub(super) in_initial_user_namespace: bool,
    /// Whether the kernel has ring buffers, or why it refused bpf(2); `None` if the check did not try.
    pub(super) ring_buffer: Option<io::Result<bool>>,
}

impl Privileges {
    /// Reads the capabilities, and if all are there tries bpf(2): a seccomp filter or a security module may refuse it.
    pub(super) fn read() -> Self {
        let missing = missing_capabilities();
        let in_initial_user_namespace = Namespace::User.is_initial();
        let may = missing.is_empty() && in_initial_user_namespace;
        let ring_buffer = may.then(|| is_map_supported(MapType::RingBuf).map_err(|refusal| refusal.io_error));
        Self { uid: geteuid().as_raw(), missing, in_initial_user_namespace, ring_buffer }
    }

    /// Whether they suffice to load programs.
    pub(super) fn suffice(&self) -> bool {
        matches!(self.ring_buffer, Some(Ok(_)))
    }

    pub(super) fn check(&self) -> Check {
        let everything = "everything: programs cannot be loaded and attached";
        if !self.missing.is_empty() {
            return self.missing_check();
        }
        if !self.in_initial_user_namespace {
            let found = "capabilities in a user namespace only, which do not allow BPF";
            return Check::fail(NAME, found, everything, "run it as root outside of the user namespace");
        }
        if let Some(Err(refusal)) = &self.ring_buffer {
            let found = format!("all capabilities, but the kernel refuses bpf(2): {refusal}");
            let advice = "allow bpf(2) in the seccomp filter or security module of the service or container; before \
                          Linux 5.11 the memlock limit may be the cause as well";
            return Check::fail(NAME, found, everything, advice);
        }
        Check::ok(NAME, format!("uid {}, with every capability that the agent needs", self.uid))
    }

    fn missing_check(&self) -> Check {
        let uid = self.uid;
        let names: Vec<&str> = self.missing.iter().map(|capability| capability.name()).collect();
        let why: Vec<String> = self
            .missing
            .iter()
            .map(|capability| format!("{} ({})", capability.why(), capability.name()))
            .collect();
        let found = format!("not privileged: uid {uid}, without {}", names.join(", "));
        Check::fail(NAME, found, why.join("; "), advice_to(uid, &self.missing))
    }

    /// The kind of map that carries the records.
    pub(super) fn ring_buffer_check(&self) -> Check {
        let name = "ring-buffer";
        match self.ring_buffer {
            Some(Ok(true)) => Check::ok(name, "supported"),
            Some(Ok(false)) => {
                let affects = "everything: the kernel side has no way to send records";
                Check::fail(name, "the kernel has none", affects, "boot Linux 5.8 or newer")
            }
            Some(Err(_)) | None => Check::not_tried(name, NAME),
        }
    }
}

/// How much memory the process may lock: before Linux 5.11 maps count against that limit.
pub(super) fn memlock(kernel: Option<KernelVersion>) -> Check {
    let has_sys_resource = effective_capabilities() & SYS_RESOURCE != 0;
    memlock_check(getrlimit(Resource::Memlock), has_sys_resource, kernel)
}

fn memlock_check(limit: Rlimit, has_sys_resource: bool, kernel: Option<KernelVersion>) -> Check {
    let name = "memlock";
    let Some(current) = limit.current else { return Check::ok(name, "unlimited") };
    let found = format!("{} KiB", current / 1024);
    if kernel.is_none_or(|kernel| kernel >= KernelVersion::new(5, 11, 0)) {
        return Check::ok(name, format!("{found}; since Linux 5.11 it does not count for BPF"));
    }
    if has_sys_resource || limit.maximum.is_none() {
        return Check::ok(name, format!("{found}, and the agent can raise it"));
    }
    let affects = "creating maps: this kernel counts them against the limit";
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
    fn root_without_a_capability_is_advised_to_add_it_and_not_to_become_root() {
        let root = Privileges { missing: missing_from(!(1 << 12)), ring_buffer: None, ..root() };
        let found = root.check();
        check(&found, Status::Fail, "uid 0, without CAP_NET_ADMIN");
        let advice = found.advice.unwrap();
        assert!(advice.contains("--cap-add NET_ADMIN") && !advice.contains("as root"), "{advice}");
    }

    #[test]
    fn root_of_a_user_namespace_is_not_root() {
        let inner = Privileges { in_initial_user_namespace: false, ring_buffer: None, ..root() };
        check(&inner.check(), Status::Fail, "user namespace");
    }

    #[test]
    fn a_seccomp_filter_that_refuses_bpf_is_a_missing_privilege() {
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let filtered = Privileges { ring_buffer: Some(Err(refused)), ..root() };
        check(&filtered.check(), Status::Fail, "refuses bpf(2): Operation not permitted");
        assert!(!filtered.suffice());
    }

    #[test]
    fn a_kernel_without_ring_buffers_is_a_failure_of_its_own() {
        let old = Privileges { ring_buffer: Some(Ok(false)), ..root() };
        check(&old.check(), Status::Ok, "every capability");
        check(&old.ring_buffer_check(), Status::Fail, "none");
    }

    #[test]
    fn a_limit_on_locked_memory_matters_before_linux_5_11_only() {
        let limit = || Rlimit { current: Some(65536), maximum: Some(65536) };
        let (old, new) = (KernelVersion::new(5, 10, 200), KernelVersion::new(5, 11, 0));
        check(&memlock_check(limit(), false, Some(old)), Status::Warn, "64 KiB, and the agent cannot");
        check(&memlock_check(limit(), true, Some(old)), Status::Ok, "can raise it");
        check(&memlock_check(limit(), false, Some(new)), Status::Ok, "does not count");
        check(&memlock_check(limit(), false, None), Status::Ok, "does not count");
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
