//! What the kernel prints as the target of a link below `/proc/<tgid>`.

/// What `d_path` appends to the path of a file that no longer has this name.
const DELETED: &[u8] = b" (deleted)";

/// Prefix of the names that `memfd_create` makes.
const MEMFD: &[u8] = b"/memfd:";

/// The target of a link, without what the kernel appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path.
    pub path: &'a [u8],
    /// The file has no name any more.
    pub deleted: bool,
    /// The file never had a name: it is in memory, made by `memfd_create`. It counts as deleted too.
    pub memfd: bool,
}

/// Removes ` (deleted)` from the text of a link if the file has no name: its link count is 0.
///
/// The text alone does not decide, since a live file may be named `x (deleted)`. One case is left: a file that lost
/// this name and has another (a hard link) is printed with the suffix and has a count above 0, like a live file of
/// that name. [`ProcessDir::image`](super::ProcessDir::image) distinguishes the two.
///
/// `/memfd:NAME` with a count of 0 is a file in memory: the kernel never names one. A file that was removed from the
/// root directory could look the same, but only the owner of that directory could arrange it.
#[must_use]
pub fn without_deleted(path: &[u8], has_a_name: bool) -> Target<'_> {
    if has_a_name {
        return Target { path, deleted: false, memfd: false };
    }
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    Target { path, deleted: true, memfd: path.starts_with(MEMFD) }
}

/// The path without the suffix of a deleted file; `None` if it has no such suffix.
pub(super) fn strip_deleted(path: &[u8]) -> Option<&[u8]> {
    path.strip_suffix(DELETED)
}

/// The inode number in the target of a link below `ns`: `mnt:[4026531841]`.
#[must_use]
pub fn namespace_inode(target: &[u8]) -> Option<u32> {
    let (_, inode) = str::from_utf8(target).ok()?.split_once(":[")?;
    inode.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The path, and whether the file is deleted and in memory.
    #[track_caller]
    fn check(path: &str, has_a_name: bool, expected: (&str, bool, bool)) {
        let (path_expected, deleted, memfd) = expected;
        let target = Target { path: path_expected.as_bytes(), deleted, memfd };
        assert_eq!(without_deleted(path.as_bytes(), has_a_name), target);
    }

    #[test]
    fn a_live_file_keeps_a_name_that_ends_like_a_deleted_one() {
        check("/tmp/x (deleted)", true, ("/tmp/x (deleted)", false, false));
        check("/tmp/x", true, ("/tmp/x", false, false));
    }

    #[test]
    fn a_deleted_file_loses_the_suffix_once() {
        check("/tmp/x (deleted)", false, ("/tmp/x", true, false));
        check("/tmp/x (deleted) (deleted)", false, ("/tmp/x (deleted)", true, false));
    }

    #[test]
    fn a_memfd_is_recognised_by_its_name_and_its_link_count() {
        check("/memfd:payload (deleted)", false, ("/memfd:payload", true, true));
        check("/memfd:a/b (deleted)", false, ("/memfd:a/b", true, true));
        check("/memfd:payload (deleted)", true, ("/memfd:payload (deleted)", false, false));
    }

    #[test]
    fn an_empty_path_stays_empty() {
        check("", false, ("", true, false));
        check("", true, ("", false, false));
        check(" (deleted)", false, ("", true, false));
    }

    #[test]
    fn a_namespace_is_the_number_in_brackets() {
        assert_eq!(namespace_inode(b"mnt:[4026531841]"), Some(4_026_531_841));
        assert_eq!(namespace_inode(b"mnt:[]"), None);
        assert_eq!(namespace_inode(b"/proc"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_path_that_is_a_prefix(path: Vec<u8>, has_a_name: bool) {
            prop_assert!(path.starts_with(without_deleted(&path, has_a_name).path));
            let _ = namespace_inode(&path);
        }
    }
}
