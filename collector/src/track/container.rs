//! The container of a process, from the path of its cgroup: the only trace that every runtime leaves.
//!
//! Each runtime names the group of a container in its own way, and differently under the two drivers (`cgroupfs` and
//! systemd). The rules are tried on each part of the path from its end, so that the innermost container wins.
//!
//! A process that may create groups may name one like a container. So this is a label, and no proof of a boundary.

use std::{borrow::Cow, sync::Arc};

/// A container, as the table keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    /// [`ContainerName::id`]
    pub id: Arc<str>,
    /// [`ContainerName::runtime`]
    pub runtime: Option<Arc<str>>,
}

impl Container {
    /// The innermost container of a cgroup path.
    pub(crate) fn of_path(cgroup_path: &str) -> Option<Self> {
        let name = container_of(cgroup_path)?;
        Some(Self { id: name.id.as_ref().into(), runtime: name.runtime.map(Into::into) })
    }
}

/// What a cgroup path says of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerName<'a> {
    /// The id, or the name for a runtime that uses names.
    pub id: Cow<'a, str>,
    /// The runtime, if the path says which.
    pub runtime: Option<&'static str>,
}

/// The beginnings of groups of containers, and their runtimes: `docker-ID.scope` under systemd, `libpod-ID` without.
/// The second form is runc's for systemd's `slice:prefix:id` under cgroupfs.
const PREFIXES: [(&str, &str); 6] = [
    ("docker", "docker"),
    ("cri-containerd", "containerd"),
    ("nerdctl", "containerd"),
    ("crio", "cri-o"),
    ("libpod", "podman"),
    ("buildkit", "buildkit"),
];

/// Groups that hold containers by id under cgroupfs, and their runtimes: `/docker/ID`. The last two are namespaces of
/// containerd: that of Kubernetes, and that of `ctr` and `nerdctl`.
const PARENTS: [(&str, &str); 3] =
    [("docker", "docker"), ("k8s.io", "containerd"), ("default", "containerd")];

/// The innermost container of a cgroup path, which may be of version 1 or 2.
///
/// `None` for a process of the host, for a service that runs containers (`docker.service`), and for what a runtime
/// keeps beside a container (`conmon`, the monitor of LXC, the supervisor of systemd-nspawn).
#[must_use]
pub fn container_of(cgroup_path: &str) -> Option<ContainerName<'_>> {
    let mut rest = cgroup_path.trim_end_matches('/');
    let mut child = "";
    while let Some((above, name)) = rest.rsplit_once('/') {
        if !name.is_empty()
            && let Some(container) = container_at(above, name, child)
        {
            return Some(container);
        }
        (rest, child) = (above, name);
    }
    None
}

/// The container of the group `name`, which is in `above` and has the group `child` on the way to the process.
fn container_at<'a>(above: &'a str, name: &'a str, child: &str) -> Option<ContainerName<'a>> {
    let parent = above.rsplit('/').next().unwrap_or_default();
    by_digest(parent, name)
        .or_else(|| lxc(parent, name))
        .or_else(|| nspawn(name, child))
        .or_else(|| by_parent(above, parent, name))
}

/// Docker, containerd, CRI-O and podman: an id of 64 hexadecimal digits, bare or behind a prefix.
fn by_digest<'a>(parent: &str, name: &'a str) -> Option<ContainerName<'a>> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    if is_digest(name) {
        // Without a prefix the parent may name the runtime; the parents of Kubernetes, ECS and `--cgroup-parent` do not.
        let runtime = PARENTS.iter().find(|&&(of, _)| of == parent).map(|&(_, runtime)| runtime);
        return Some(ContainerName { id: name.into(), runtime });
    }
    let (_, name) = name.rsplit_once(".slice:").unwrap_or(("", name));
    PREFIXES.iter().find_map(|&(prefix, runtime)| {
        let id = name.strip_prefix(prefix)?.strip_prefix(['-', ':'])?;
        is_digest(id).then(|| ContainerName { id: id.into(), runtime: Some(runtime) })
    })
}

/// LXC and LXD: `/lxc/NAME` before version 4, `/lxc.payload.NAME` since; `/lxc.monitor.NAME` is beside it.
fn lxc<'a>(parent: &str, name: &'a str) -> Option<ContainerName<'a>> {
    let id = match (parent, name.strip_prefix("lxc.payload.")) {
        (_, Some(id)) => id,
        ("lxc" | "lxc.payload", None) => name,
        (_, None) => return None,
    };
    (!id.is_empty()).then(|| ContainerName { id: id.into(), runtime: Some("lxc") })
}

/// systemd-nspawn: a scope of its own, or the unit of its template.
///
/// A scope `machine-NAME` belongs to any machine that was registered with systemd-machined. Those of libvirt say what they
/// are: its virtual machines are no containers. A machine of systemd-vmspawn looks like a container.
fn nspawn<'a>(name: &'a str, child: &str) -> Option<ContainerName<'a>> {
    let id = name
        .strip_prefix("machine-")
        .and_then(|name| name.strip_suffix(".scope"))
        .or_else(|| name.strip_prefix("systemd-nspawn@")?.strip_suffix(".service"))?;
    if id.is_empty() || id.starts_with(r"qemu\x2d") || child == "supervisor" {
        return None;
    }
    let runtime = if id.starts_with(r"lxc\x2d") { None } else { Some("systemd-nspawn") };
    Some(ContainerName { id: unescape(id), runtime })
}

/// `BuildKit`, Garden and Fargate: their ids have other shapes, so only the parent decides.
fn by_parent<'a>(above: &str, parent: &str, name: &'a str) -> Option<ContainerName<'a>> {
    let runtime = match parent {
        "buildkit" => Some("buildkit"),
        "garden" => None,
        task if is_fargate(above, task, name) => None,
        _ => return None,
    };
    Some(ContainerName { id: name.into(), runtime })
}

/// `/ecs/TASK/TASK-NUMBER`, where a task may stand below its cluster.
fn is_fargate(above: &str, task: &str, name: &str) -> bool {
    let number = name.strip_prefix(task).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        && above.split('/').any(|part| part == "ecs")
}

/// 64 hexadecimal digits, in lower case as container runtimes write them.
fn is_digest(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Replaces systemd.unit(5)'s escape for `-` in a name. Everything else stays.
fn unescape(name: &str) -> Cow<'_, str> {
    if name.contains(r"\x2d") { name.replace(r"\x2d", "-").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks a path where `@` stands for one id of 64 digits and `%` for another.
    #[track_caller]
    fn check(path: &str, expected: Option<(&str, Option<&str>)>) {
        let fill = |text: &str| text.replace('@', &"0a1b2c3d".repeat(8)).replace('%', &"f".repeat(64));
        let path = fill(path);
        let found = container_of(&path);
        let found = found.as_ref().map(|container| (container.id.as_ref(), container.runtime));
        let id = expected.map(|(id, _)| fill(id));
        assert_eq!(found, id.as_deref().zip(expected).map(|(id, (_, runtime))| (id, runtime)), "{path}");
    }

    #[test]
    fn a_process_of_the_host_has_no_container() {
        for path in [
            "",
            "/",
            "//",
            "/init.scope",
            "/system.slice/docker.service",
            "/system.slice/containerd.service",
            "/system.slice/crio.service",
            "/system.slice/lxc.service",
            "/user.slice/user-1000.slice/session-2.scope",
            "/kubepods.slice/kubepods-burstable.slice",
            "/docker",
            "/lxc",
            "/machine.slice",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn a_group_without_a_name_is_no_container() {
        check("/buildkit//x", None);
        check("/garden//", None);
        check("//@", Some(("@", None)));
    }

    #[test]
    fn docker_is_recognised_under_both_drivers() {
        check("/docker/@", Some(("@", Some("docker"))));
        check("/system.slice/docker-@.scope", Some(("@", Some("docker"))));
        check("/system.slice/docker-@.scope/init.scope", Some(("@", Some("docker"))));
        check("/user.slice/user-1000.slice/user@1000.service/docker-%.scope", Some(("%", Some("docker"))));
        check("/actions_job/@", Some(("@", None)));
    }

    #[test]
    fn an_id_has_64_lower_case_digits() {
        check("/docker/0a1b2c3d", None);
        check("/docker/@0", None);
        check("/system.slice/docker-0a1b.scope", None);
        check("/system.slice/DOCKER-@.scope", None);
        check("/docker/buildx", None);
    }

    #[test]
    fn a_kubernetes_path_names_the_runtime_only_under_systemd() {
        let pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice";
        check(&format!("{pod}/cri-containerd-@.scope"), Some(("@", Some("containerd"))));
        check(&format!("{pod}/crio-@.scope"), Some(("@", Some("cri-o"))));
        check(&format!("{pod}/docker-@.scope"), Some(("@", Some("docker"))));
        check("/kubepods/burstable/pod1-2-3/@", Some(("@", None)));
        check("/kubepods/burstable/pod1-2-3/crio-@", Some(("@", Some("cri-o"))));
        check("/k8s.io/@", Some(("@", Some("containerd"))));
        check(
            "/system.slice/containerd.service/kubepods-burstable-pod1_2.slice:cri-containerd:@",
            Some(("@", Some("containerd"))),
        );
    }

    #[test]
    fn podman_has_a_nested_group() {
        check("/machine.slice/libpod-@.scope", Some(("@", Some("podman"))));
        check("/machine.slice/libpod-@.scope/container", Some(("@", Some("podman"))));
        check("/libpod_parent/libpod-@", Some(("@", Some("podman"))));
    }

    #[test]
    fn a_monitor_is_not_in_the_container_that_it_monitors() {
        check("/machine.slice/libpod-conmon-@.scope", None);
        check("/kubepods.slice/kubepods-pod1.slice/crio-conmon-@.scope", None);
        check("/lxc.monitor.web", None);
        check("/lxc.monitor/web", None);
        check("/machine.slice/systemd-nspawn@web.service/supervisor", None);
    }

    #[test]
    fn lxc_uses_names() {
        check("/lxc/web", Some(("web", Some("lxc"))));
        check("/lxc/101/ns/system.slice/ssh.service", Some(("101", Some("lxc"))));
        check("/lxc.payload.web/init.scope", Some(("web", Some("lxc"))));
        check("/lxc.payload/web", Some(("web", Some("lxc"))));
        check("/lxc.payload.", None);
    }

    #[test]
    fn nspawn_uses_names_that_systemd_escapes() {
        let nspawn = Some("systemd-nspawn");
        // Without `check`, which would replace the `@` by an id.
        let unit = "/machine.slice/systemd-nspawn@web.service/payload/init.scope";
        assert_eq!(container_of(unit), Some(ContainerName { id: "web".into(), runtime: nspawn }));
        check("/machine.slice/machine-web.scope/payload", Some(("web", nspawn)));
        check(r"/machine.slice/machine-my\x2dbox.scope", Some(("my-box", nspawn)));
    }

    #[test]
    fn a_virtual_machine_of_libvirt_is_no_container() {
        check(r"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator", None);
        check(r"/machine.slice/machine-lxc\x2d1\x2dbox.scope", Some(("lxc-1-box", None)));
    }

    #[test]
    fn ids_of_other_shapes_are_recognised_by_their_parents() {
        check("/ecs/0f1e/@", Some(("@", None)));
        check("/ecs/0f1e/0f1e-123", Some(("0f1e-123", None)));
        check("/ecs/cluster/0f1e/0f1e-123", Some(("0f1e-123", None)));
        check("/system.slice/a/a-1", None);
        check("/buildkit/uzyzp0mfh5xsvh8lvvd3dx", Some(("uzyzp0mfh5xsvh8lvvd3dx", Some("buildkit"))));
        check("/garden/7b6c-11e9", Some(("7b6c-11e9", None)));
    }

    #[test]
    fn the_innermost_container_wins() {
        check("/docker/@/docker/%", Some(("%", Some("docker"))));
        check("/lxc.payload.web/system.slice/docker-%.scope", Some(("%", Some("docker"))));
        check("/docker/@/kubepods/besteffort/pod1/%", Some(("%", None)));
        check("/docker/@/system.slice/docker.service", Some(("@", Some("docker"))));
    }

    #[test]
    fn a_path_from_another_cgroup_namespace_is_read_the_same_way() {
        check("/../../docker/@", Some(("@", Some("docker"))));
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "[-/a-f0-9.:@ä]{0,80}", any_path: String) {
            let _ = container_of(&path);
            let _ = container_of(&any_path);
        }
    }
}
