//! `/proc/<tgid>/cgroup`: the control groups of a process, one line for each hierarchy.

/// What the kernel appends to the path of a removed version 2 group. Processes that ended in it stay there.
const DELETED: &[u8] = b" (deleted)";

/// A line: the group of a process in one hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership<'a> {
    /// The id of the hierarchy; 0 for version 2.
    pub hierarchy: u32,
    /// The controllers of a version 1 hierarchy, joined by commas, or its `name=`; empty for version 2.
    pub controllers: &'a [u8],
    /// The path below the mount of the hierarchy, seen from the reader's cgroup namespace: a path outside it begins
    /// with `/..`.
    pub path: &'a [u8],
    /// The group was removed. Only the text says so: a live group whose name ends in ` (deleted)` looks the same.
    pub deleted: bool,
}

/// The valid lines, in order.
pub fn memberships(bytes: &[u8]) -> impl Iterator<Item = Membership<'_>> {
    // A group cannot have a newline in its name: `cgroup_mkdir` refuses it because of this file.
    bytes.split(|&byte| byte == b'\n').filter_map(membership)
}

/// Two colons end the id and the controllers; any further ones belong to the path.
fn membership(line: &[u8]) -> Option<Membership<'_>> {
    let mut parts = line.splitn(3, |&byte| byte == b':');
    let hierarchy = str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let controllers = parts.next()?;
    let path = parts.next().filter(|path| path.starts_with(b"/"))?;
    // Only version 2 has the suffix.
    let live = if hierarchy == 0 { path.strip_suffix(DELETED) } else { None };
    Some(Membership { hierarchy, controllers, path: live.unwrap_or(path), deleted: live.is_some() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &str, expected: &[(u32, &str, &str, bool)]) {
        let found: Vec<_> = memberships(bytes.as_bytes()).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|&(hierarchy, controllers, path, deleted)| Membership {
                hierarchy,
                controllers: controllers.as_bytes(),
                path: path.as_bytes(),
                deleted,
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn both_versions_have_a_line() {
        check(
            "5:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/system.slice/x.service\n",
            &[
                (5, "cpu,cpuacct", "/a", false),
                (1, "name=systemd", "/b", false),
                (0, "", "/system.slice/x.service", false),
            ],
        );
    }

    #[test]
    fn a_path_may_hold_colons() {
        check("0::/a:b::c\n", &[(0, "", "/a:b::c", false)]);
    }

    #[test]
    fn a_removed_group_is_recognised_in_version_2_alone() {
        check(
            "0::/a (deleted)\n1:cpu:/a (deleted)\n",
            &[(0, "", "/a", true), (1, "cpu", "/a (deleted)", false)],
        );
    }

    #[test]
    fn broken_lines_are_left_out() {
        check("\n0:\n0::\nx::/a\n0::/", &[(0, "", "/", false)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
            let _ = memberships(&bytes).count();
        }
    }
}
