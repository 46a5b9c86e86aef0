//! What the agent sees of the machine: the cgroup v2 hierarchy, other processes in /proc, and what filters leave of them.

use std::path::Path;

use procfs::process::{MountInfo, Process};

use super::{check::Check, namespace::Namespace};
use crate::{
    filter::Filter,
    load::{Capability, find_cgroup2},
};

/// The mount that the hooks for connections are attached to.
pub(super) fn cgroup2() -> Check {
    let mount = find_cgroup2();
    let found = mount.as_ref().map(|mount| (mount.path(), mount.is_mixed_with_v1()));
    cgroup2_check(found, Namespace::Cgroup.is_initial())
}

/// `mount` is where it is, and whether v1 is mounted as well.
fn cgroup2_check(mount: Option<(&Path, bool)>, in_initial_namespace: bool) -> Check {
    let name = "cgroup2";
    let Some((path, mixed)) = mount else {
        return Check::warn(
            name,
            "not mounted",
            "connections: their hooks have nothing to be attached to",
            "mkdir -p /run/cgroup2 && mount -t cgroup2 none /run/cgroup2",
        );
    };
    let found = format!("{}{}", path.display(), if mixed { ", beside cgroup v1" } else { "" });
    if in_initial_namespace {
        return Check::ok(name, found);
    }
    Check::warn(
        name,
        format!("{found}, in a cgroup namespace"),
        "connections of processes outside of this container's cgroup",
        "run the container in the machine's cgroup namespace (docker run --cgroupns=host)",
    )
}

/// Which events a run does not tell though it sees them; nothing where it tells all.
pub(super) fn filters(filter: &Filter) -> Option<Check> {
    let words = filter.words();
    (!words.is_empty()).then(|| Check::ok("filters", words.join(", ")))
}

/// Whether other processes can be read in /proc.
pub(super) fn proc(missing: &[Capability]) -> Check {
    let mounts = Process::myself().and_then(|process| process.mountinfo());
    let mounts = mounts.map(|mounts| mounts.0).unwrap_or_default();
    // The last of several on one place covers the others.
    let mount = mounts.iter().rfind(|mount| mount.mount_point == Path::new("/proc"));
    let may_read_all = missing.iter().all(|capability| capability.name() != "CAP_SYS_PTRACE");
    proc_check(mount.map(hidepid), may_read_all, Namespace::Pid.is_initial())
}

/// The mount option; "off" where it is not set. Linux 5.8 tells its words, earlier ones its number.
fn hidepid(mount: &MountInfo) -> &str {
    mount.super_options.get("hidepid").and_then(Option::as_deref).unwrap_or("off")
}

fn proc_check(hidepid: Option<&str>, may_read_all: bool, in_initial_namespace: bool) -> Check {
    let name = "proc";
    let Some(hidepid) = hidepid else {
        let affects = "everything that is read in /proc, these checks as well";
        return Check::warn(name, "not mounted at /proc", affects, "mount -t proc proc /proc");
    };
    if !in_initial_namespace {
        return Check::warn(
            name,
            "of a PID namespace, not of the whole machine",
            "what /proc adds to events: the kernel tells the machine's pids, which are others here",
            "run the container in the machine's PID namespace (docker run --pid=host, hostPID: true)",
        );
    }
    if matches!(hidepid, "off" | "0") {
        return Check::ok(name, "of the whole machine");
    }
    if may_read_all {
        return Check::ok(
            name,
            format!("of the whole machine; hidepid={hidepid}, which does not hold for root"),
        );
    }
    Check::warn(
        name,
        format!("hidepid={hidepid}"),
        "what /proc adds to events of other users' processes",
        "run it as root, or with CAP_SYS_PTRACE",
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use procfs::process::MountInfo;

    use super::{cgroup2_check, filters, hidepid, proc_check};
    use crate::{
        doctor::check::{Check, Status},
        filter::Filter,
    };

    #[track_caller]
    fn check(found: &Check, status: Status, words: &str) {
        assert_eq!(found.status, status, "{found:?}");
        assert!(found.found.contains(words), "{found:?}");
    }

    #[test]
    fn no_cgroup_v2_costs_the_connections_and_is_told_how_to_mount() {
        let found = cgroup2_check(None, true);
        check(&found, Status::Warn, "not mounted");
        assert!(found.advice.is_some_and(|advice| advice.contains("mount -t cgroup2")));
    }

    #[test]
    fn a_mount_beside_v1_is_ok_and_noted() {
        let unified = Path::new("/sys/fs/cgroup/unified");
        check(&cgroup2_check(Some((unified, true)), true), Status::Ok, "/unified, beside cgroup v1");
        check(&cgroup2_check(Some((Path::new("/sys/fs/cgroup"), false)), true), Status::Ok, "/sys/fs/cgroup");
    }

    #[test]
    fn the_root_of_a_cgroup_namespace_is_not_the_machines() {
        let mount = Some((Path::new("/sys/fs/cgroup"), false));
        check(&cgroup2_check(mount, false), Status::Warn, "cgroup namespace");
    }

    #[test]
    fn filters_are_told_in_the_words_of_agent_start_and_none_where_all_is_told() {
        let filter: Filter = toml::from_str("exclude = [\"uid=0\"]\nexec_limit = \"5/s:9\"").unwrap();
        check(&filters(&filter).unwrap(), Status::Ok, "exclude uid=0, exec-limit 5/s:9");
        assert_eq!(filters(&Filter::OFF), None);
    }

    #[test]
    fn a_pid_namespace_hides_the_machine() {
        check(&proc_check(Some("off"), true, false), Status::Warn, "PID namespace");
    }

    #[test]
    fn hidepid_hides_from_those_who_may_not_trace_only() {
        check(&proc_check(Some("invisible"), false, true), Status::Warn, "hidepid=invisible");
        check(&proc_check(Some("2"), true, true), Status::Ok, "hidepid=2");
        check(&proc_check(Some("0"), false, true), Status::Ok, "whole machine");
    }

    #[test]
    fn without_proc_nothing_is_known() {
        check(&proc_check(None, true, true), Status::Warn, "not mounted");
    }

    #[test]
    fn hidepid_is_an_option_of_the_file_system_and_not_of_its_mount() {
        let mount = |line: &str| MountInfo::from_line(line).unwrap();
        let hidden = mount("22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible");
        assert_eq!(hidepid(&hidden), "invisible");
        assert_eq!(hidepid(&mount("22 27 0:21 / /proc rw,relatime - proc proc rw")), "off");
    }
}
