//! What the agent sees of the machine: the cgroup v2 hierarchy and other processes in /proc; and whether filters match.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use procfs::process::{MountInfo, Process};

use super::{check::Check, namespace::Namespace};
use crate::{
    filter::{CgroupRule, Filter, Note, Rule},
    load::{Capability, CgroupMount, find_cgroup2},
};

/// The mount whose root the hooks for connections are attached to.
pub(super) fn cgroup2() -> Check {
    let mount = find_cgroup2();
    let found = mount.as_ref().map(|mount| (mount.path(), mount.is_mixed_with_v1()));
    cgroup2_check(found, Namespace::Cgroup.is_initial())
}

/// `mount` is its path, and whether v1 is mounted as well.
fn cgroup2_check(mount: Option<(&Path, bool)>, in_initial_namespace: bool) -> Check {
    let name = "cgroup2";
    let Some((path, mixed)) = mount else {
        return Check::warn(
            name,
            "not mounted",
            "connections: their hooks need it",
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

/// The filters of a run, and whether each rule can match something here; nothing without filters.
pub(super) fn filters(filter: &Filter) -> Option<Check> {
    let mount = find_cgroup2();
    filters_check(filter, mount.as_ref().map(CgroupMount::path))
}

fn filters_check(filter: &Filter, cgroups: Option<&Path>) -> Option<Check> {
    let name = "filters";
    if filter.is_off() {
        return None;
    }
    let (resolved, notes) = filter.resolve();
    let found = resolved.words().join(", ");
    let mut idle = Note::messages(notes.iter().filter(|note| note.is_warning()));
    idle.extend(missing_cgroups(filter, cgroups));
    if idle.is_empty() {
        return Some(Check::ok(name, found));
    }
    let advice = "correct the rule; `realpath FILE` prints a path as the events have it. A path or cgroup that comes later \
                  matches from then on; a cgroup's id must be there at the start";
    Some(Check::warn(name, found, idle.join("; "), advice))
}

/// The rules on cgroups that are not there, in words. Without cgroup v2 another check warns.
fn missing_cgroups(filter: &Filter, mount: Option<&Path>) -> Vec<String> {
    let Some(mount) = mount else { return Vec::new() };
    let is_there = |rule: &CgroupRule| match rule {
        CgroupRule::Path(path) => has_cgroup(mount, &|below, _| path.matches(below)),
        CgroupRule::Id(id) => has_cgroup(mount, &|_, inode| inode == *id),
    };
    let of_cgroup = |rule: &Rule| match rule {
        Rule::Cgroup(cgroup) => !is_there(cgroup),
        Rule::Uid(_) | Rule::Comm(_) | Rule::Image(_) | Rule::Parent(_) => false,
    };
    let missing = filter.exclude.iter().chain(&filter.only).filter(|rule| of_cgroup(rule));
    missing
        .map(|rule| format!("{rule} matches nothing on this machine now: there is no such cgroup"))
        .collect()
}

/// Whether any cgroup's path and id match.
fn has_cgroup(mount: &Path, matches: &dyn Fn(&[u8], u64) -> bool) -> bool {
    let mut waiting = vec![mount.to_owned()];
    while let Some(directory) = waiting.pop() {
        let below = directory.strip_prefix(mount).unwrap_or(&directory);
        let path = [b"/", below.as_os_str().as_encoded_bytes()].concat();
        // One that is gone by now matches nothing.
        if std::fs::metadata(&directory).is_ok_and(|metadata| matches(&path, metadata.ino())) {
            return true;
        }
        let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        waiting.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    false
}

/// Whether other processes can be read in /proc.
pub(super) fn proc(missing: &[Capability]) -> Check {
    let mounts = Process::myself().and_then(|process| process.mountinfo());
    let mounts = mounts.map(|mounts| mounts.0).unwrap_or_default();
    // The last of several mounts at one place covers the others.
    let mount = mounts.iter().rfind(|mount| mount.mount_point == Path::new("/proc"));
    let may_read_all = missing.iter().all(|capability| capability.name() != "CAP_SYS_PTRACE");
    proc_check(mount.map(hidepid), may_read_all, Namespace::Pid.is_initial())
}

/// The mount option; "off" if it is not set. Linux 5.8 and newer show it as a word, older ones as a number.
fn hidepid(mount: &MountInfo) -> &str {
    mount.super_options.get("hidepid").and_then(Option::as_deref).unwrap_or("off")
}

fn proc_check(hidepid: Option<&str>, may_read_all: bool, in_initial_namespace: bool) -> Check {
    let name = "proc";
    let Some(hidepid) = hidepid else {
        let affects = "everything: the agent does not start without it, and some of these checks read it";
        return Check::fail(name, "not mounted at /proc", affects, "mount -t proc proc /proc");
    };
    if !in_initial_namespace {
        return Check::warn(
            name,
            "of a PID namespace, not of the whole machine",
            "what /proc adds to events: the kernel side sends the machine's pids, which are other numbers here",
            "run the container in the machine's PID namespace (docker run --pid=host, hostPID: true)",
        );
    }
    if matches!(hidepid, "off" | "0") {
        return Check::ok(name, "of the whole machine");
    }
    if may_read_all {
        return Check::ok(name, format!("of the whole machine; hidepid={hidepid}, which root may ignore"));
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

    use super::{cgroup2_check, filters_check, hidepid, proc_check};
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
    fn without_cgroup_v2_there_are_no_connections_and_the_advice_is_to_mount_it() {
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

    fn filters(text: &str, cgroups: Option<&Path>) -> Option<Check> {
        let filter: Filter = toml::from_str(text).unwrap();
        filters_check(&filter, cgroups)
    }

    #[test]
    fn filters_are_in_the_words_of_agent_start_and_absent_if_there_are_none() {
        let found = filters("exclude = [\"uid=0\"]\nexec_limit = \"5/s:9\"", None).unwrap();
        check(&found, Status::Ok, "exclude uid=0, exec-limit 5/s:9");
        assert_eq!(filters("", None), None);
    }

    #[test]
    fn a_rule_that_matches_nothing_is_a_warning_that_names_it() {
        let found = filters("exclude = [\"uid=0\", \"image=/nonexistent/ls\"]", None).unwrap();
        check(&found, Status::Warn, "exclude uid=0, exclude image=/nonexistent/ls");
        let affects = found.affects.unwrap();
        assert!(affects.contains("image=/nonexistent/ls") && !affects.contains("uid=0"), "{affects}");
    }

    #[test]
    fn a_cgroup_that_is_not_there_is_a_warning() {
        let mount = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(mount.path().join("a.slice/b.service")).unwrap();
        let cgroups =
            |rule: &str| filters(&format!("only = [\"cgroup={rule}\"]"), Some(mount.path())).unwrap();
        check(&cgroups("/a.slice/b.service"), Status::Ok, "b.service");
        check(&cgroups("/a.slice/b*"), Status::Ok, "b*");
        check(&cgroups("/a.slice/c"), Status::Warn, "/a.slice/c");
        check(&cgroups("18446744073709551615"), Status::Warn, "18446744073709551615");
    }

    #[test]
    fn a_pid_namespace_hides_the_machine() {
        check(&proc_check(Some("off"), true, false), Status::Warn, "PID namespace");
    }

    #[test]
    fn hidepid_hides_only_from_users_who_may_not_trace() {
        check(&proc_check(Some("invisible"), false, true), Status::Warn, "hidepid=invisible");
        check(&proc_check(Some("2"), true, true), Status::Ok, "hidepid=2");
        check(&proc_check(Some("0"), false, true), Status::Ok, "whole machine");
    }

    #[test]
    fn without_proc_the_agent_cannot_run() {
        check(&proc_check(None, true, true), Status::Fail, "not mounted");
    }

    #[test]
    fn hidepid_is_an_option_of_the_file_system_and_not_of_its_mount() {
        let mount = |line: &str| MountInfo::from_line(line).unwrap();
        let hidden = mount("22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible");
        assert_eq!(hidepid(&hidden), "invisible");
        assert_eq!(hidepid(&mount("22 27 0:21 / /proc rw,relatime - proc proc rw")), "off");
    }
}
