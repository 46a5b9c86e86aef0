//! Any bytes as /proc/PID/cgroup, and as the path of a cgroup.

#![no_main]

use collector::{procfs::cgroup::memberships, track::container::container_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for membership in memberships(bytes) {
        assert!(membership.path.starts_with(b"/") && !membership.path.contains(&b'\n'), "a path is absolute");
        if let Ok(path) = str::from_utf8(membership.path) {
            check_container(path);
        }
    }
    if let Ok(path) = str::from_utf8(bytes) {
        check_container(path);
    }
});

fn check_container(path: &str) {
    if let Some(container) = container_of(path) {
        assert!(!container.id.is_empty() && !container.id.contains('/'), "an id is a part of a path");
    }
}
