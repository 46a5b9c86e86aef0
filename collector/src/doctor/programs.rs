//! The kernel programs: whether this binary has them, and whether the kernel accepts each.

use super::{check::Check, privileges};
use crate::load::{HOOKS, Hook, LoadError, Part, Probed};

/// The result of loading; `None` if privileges are missing and nothing was tried.
pub(super) type Probe = Option<Result<Vec<Probed>, LoadError>>;

/// Whether every hook for processes could be attached: nothing works without those.
pub(super) fn processes_attached(probe: &Probe) -> bool {
    let Some(Ok(probed)) = probe else { return false };
    probed.iter().filter(|probed| probed.hook.part == Part::Processes).all(|probed| probed.outcome.is_ok())
}

/// Whether this binary was built with its kernel programs.
pub(super) fn object_check(object_len: usize) -> Check {
    let name = "object";
    if object_len == 0 {
        let found = "this binary was built without its kernel programs";
        return Check::fail(name, found, "everything", "build it with: cargo xtask build");
    }
    Check::ok(name, format!("{} KiB of kernel programs in this binary", object_len / 1024))
}

/// Checks of the maps that all programs share and of each hook.
pub(super) fn checks(probe: &Probe) -> Vec<Check> {
    let maps = "maps";
    match probe {
        None => not_tried(Check::not_tried(maps, privileges::NAME), privileges::NAME),
        Some(Ok(probed)) => {
            let hooks = probed.iter().map(hook_check);
            [Check::ok(maps, "created and removed again")].into_iter().chain(hooks).collect()
        }
        Some(Err(error)) => match reported_by(error) {
            Some(other) => not_tried(Check::not_tried(maps, other), other),
            None => not_tried(maps_check(maps, error), maps),
        },
    }
}

fn not_tried(maps: Check, without: &str) -> Vec<Check> {
    let hooks = HOOKS.iter().map(|hook| Check::not_tried(&name(hook), without));
    [maps].into_iter().chain(hooks).collect()
}

fn maps_check(name: &str, error: &LoadError) -> Check {
    let affects = "everything: the programs and the agent cannot share memory";
    let advice = "look at the limits on memory of the service or container, and at memlock before Linux 5.11; with \
                  memory to spare, report this line and uname -r";
    Check::fail(name, error.brief(), affects, advice)
}

/// The check that reports this error itself.
fn reported_by(error: &LoadError) -> Option<&'static str> {
    match error {
        LoadError::NotPrivileged { .. } => Some(privileges::NAME),
        LoadError::NoObject => Some("object"),
        LoadError::NoBtf(_) | LoadError::BadBtf(_) | LoadError::NoFields { .. } => Some("btf"),
        LoadError::UnloadableBtf(_)
        | LoadError::Cpus { .. }
        | LoadError::Maps(_)
        | LoadError::NoMap { .. }
        | LoadError::Map { .. }
        | LoadError::NoProgram { .. }
        | LoadError::Program { .. }
        | LoadError::NoCgroup
        | LoadError::Cgroup { .. }
        | LoadError::NoCgroupId { .. }
        | LoadError::Iterator(_)
        | LoadError::Misses { .. }
        | LoadError::Scan(_) => None,
    }
}

fn hook_check(Probed { hook, outcome }: &Probed) -> Check {
    let name = name(hook);
    let error = match outcome {
        Ok(()) => return Check::ok(&name, "loaded, attached and detached"),
        Err(LoadError::NoCgroup) => return Check::not_tried(&name, "cgroup2"),
        Err(error) => error.brief(),
    };
    let config = hook.kernel_config();
    let advice = format!("boot a kernel with {config}=y; if it has that, report this line and uname -r");
    match hook.part {
        Part::Processes => Check::fail(&name, error, "everything: processes cannot be followed", advice),
        part @ (Part::Scan | Part::Connections) => {
            Check::warn(&name, error, format!("events of {}", part.feature()), advice)
        }
        part @ Part::Cgroups => Check::warn(&name, error, part.feature(), advice),
    }
}

fn name(hook: &Hook) -> String {
    format!("hook {}", hook.name)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Check, checks, object_check, processes_attached};
    use crate::{
        doctor::check::Status,
        load::{HOOKS, Hook, LoadError, Part, Probed},
    };

    #[track_caller]
    fn check(checks: &[Check], name: &str, status: Status, words: &str) {
        let found = checks.iter().find(|check| check.name == name).expect("the check is there");
        assert_eq!(found.status, status, "{found:?}");
        assert!(found.found.contains(words), "{found:?}");
    }

    /// The result if the kernel refuses the hooks of one part.
    fn refused(part: Option<Part>, error: fn() -> LoadError) -> Vec<Probed> {
        let outcome = |hook: &Hook| if Some(hook.part) == part { Err(error()) } else { Ok(()) };
        HOOKS.iter().map(|&hook| Probed { hook, outcome: outcome(&hook) }).collect()
    }

    fn iterator() -> LoadError {
        LoadError::Scan(io::ErrorKind::PermissionDenied.into())
    }

    #[test]
    fn hooks_that_were_attached_are_ok() {
        let probe = Some(Ok(refused(None, iterator)));
        assert!(checks(&probe).iter().all(|check| check.status == Status::Ok));
        assert_eq!(checks(&probe).len(), 1 + HOOKS.len());
        assert!(processes_attached(&probe));
    }

    #[test]
    fn a_hook_for_processes_that_is_refused_is_a_failure() {
        let probe = Some(Ok(refused(Some(Part::Processes), iterator)));
        check(&checks(&probe), "hook tp_btf/sched_process_exec", Status::Fail, "permission denied");
        check(&checks(&probe), "hook sock_ops", Status::Ok, "attached");
        assert!(!processes_attached(&probe));
    }

    #[test]
    fn a_hook_for_connections_that_is_refused_is_a_warning_that_names_the_kernels_option() {
        let probe = Some(Ok(refused(Some(Part::Connections), iterator)));
        check(&checks(&probe), "hook cgroup/connect4", Status::Warn, "permission denied");
        assert!(checks(&probe).iter().any(|check| {
            check.advice.as_ref().is_some_and(|advice| advice.contains("CONFIG_CGROUP_BPF"))
        }));
        assert!(processes_attached(&probe));
    }

    #[test]
    fn hooks_without_a_cgroup_send_the_reader_to_the_check_of_it() {
        let probe = Some(Ok(refused(Some(Part::Connections), || LoadError::NoCgroup)));
        check(&checks(&probe), "hook cgroup/sendmsg6", Status::Warn, "see cgroup2");
    }

    #[test]
    fn without_privilege_no_hook_is_tried_and_each_says_so() {
        let found = checks(&None);
        assert_eq!(found.len(), 1 + HOOKS.len());
        assert!(found.iter().all(|check| check.found == "not tried: see privileges"));
    }

    #[test]
    fn maps_that_cannot_be_created_are_the_failure_and_the_hooks_are_not() {
        let found = checks(&Some(Err(LoadError::NoMap { map: "RECORDS" })));
        check(&found, "maps", Status::Fail, "RECORDS");
        check(&found, "hook iter/task", Status::Warn, "see maps");
    }

    #[test]
    fn what_another_check_reports_is_not_reported_twice() {
        let found = checks(&Some(Err(LoadError::NoObject)));
        assert!(found.iter().all(|check| check.found == "not tried: see object"));
    }

    #[test]
    fn a_binary_without_kernel_programs_is_a_failure() {
        check(&[object_check(0)], "object", Status::Fail, "without");
        check(&[object_check(4096)], "object", Status::Ok, "4 KiB");
    }
}
