//! The path of a cgroup, from the id that the kernel side sends.
//!
//! An id of version 2 is that of the node in kernfs, and also the inode number of the directory. The kernel opens a node by
//! its id, so no walk over the mount is needed, and a short-lived group is found as long as it lives.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FsWord, Mode, OFlags};
use rustix::io::Errno;

use crate::{
    file_calls::{fstatfs, openat},
    linux::{open_by_kernfs_id, path_of},
};

/// `CGROUP2_SUPER_MAGIC` of include/uapi/linux/magic.h.
const CGROUP2_MAGIC: FsWord = 0x6367_7270;

/// The suffix that `d_path` adds to the path of a removed directory.
const DELETED: &str = " (deleted)";

/// The directory has no cgroups of version 2.
#[derive(Debug, thiserror::Error)]
pub enum CgroupsError {
    /// It cannot be opened.
    #[error("cannot open {} as the mount of cgroup version 2", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// The kernel's error.
        source: Errno,
    },
    /// It belongs to another file system: version 1 perhaps.
    #[error("{} is not a mount of cgroup version 2", path.display())]
    NotCgroup2 {
        /// The directory.
        path: PathBuf,
    },
}

/// Paths of cgroups by id.
#[derive(Debug)]
pub struct Cgroups {
    mount: Mount,
}

impl Cgroups {
    /// Opens the directory where cgroup version 2 is mounted: the whole tree, from the host's cgroup namespace.
    ///
    /// Each later look-up needs `CAP_DAC_READ_SEARCH`.
    pub fn new(mount: &Path) -> Result<Self, CgroupsError> {
        Ok(Self { mount: Mount::open(mount)? })
    }

    /// The path below the mount: `/system.slice/x.service`, `/` for the root. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// `None` for a group that is gone or never existed. A caller may cache a path: version 2 refuses to rename a group, and
    /// an id is used once in a boot. Source: `__kernfs_new_node`, Linux 6.18: the low half counts up, and the high half counts
    /// how often the low half wrapped.
    #[must_use]
    pub fn path(&self, id: u64) -> Option<Arc<str>> {
        self.mount.find(id)
    }
}

/// The mount of cgroup version 2.
#[derive(Debug)]
struct Mount {
    dir: OwnedFd,
    /// Its path as the kernel prints it, without a `/` at the end.
    path: String,
}

impl Mount {
    fn open(path: &Path) -> Result<Self, CgroupsError> {
        let failed = |source| CgroupsError::Open { path: path.to_owned(), source };
        // Not O_PATH: `open_by_handle_at` refuses such a descriptor.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, path, flags, Mode::empty()).map_err(failed)?;
        if fstatfs(&dir).map_err(failed)?.f_type != CGROUP2_MAGIC {
            return Err(CgroupsError::NotCgroup2 { path: path.to_owned() });
        }
        let printed = path_of(dir.as_fd()).map_err(failed)?;
        let path = String::from_utf8_lossy(&printed).trim_end_matches('/').to_owned();
        Ok(Self { dir, path })
    }

    fn find(&self, id: u64) -> Option<Arc<str>> {
        let group = open_by_kernfs_id(self.dir.as_fd(), id).ok()?;
        let printed = path_of(group.as_fd()).ok()?;
        let printed = String::from_utf8_lossy(&printed);
        // It was removed since the open, or its name ends so. A removed one does not open again.
        if printed.ends_with(DELETED) {
            open_by_kernfs_id(self.dir.as_fd(), id).ok()?;
        }
        below(&self.path, &printed).map(Arc::from)
    }
}

/// The path below the mount. `None` if it is not below: the mount shows only a part of the tree.
fn below<'a>(mount: &str, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(mount)? {
        "" => Some("/"),
        path => path.starts_with('/').then_some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mount: &str, path: &str, expected: Option<&str>) {
        assert_eq!(below(mount, path), expected);
    }

    #[test]
    fn a_path_starts_at_the_mount() {
        check("/sys/fs/cgroup", "/sys/fs/cgroup/system.slice/x.service", Some("/system.slice/x.service"));
        check("/sys/fs/cgroup", "/sys/fs/cgroup", Some("/"));
        check("", "/a", Some("/a"));
    }

    #[test]
    fn a_path_outside_the_mount_is_rejected() {
        check("/sys/fs/cgroup", "/sys/fs/cgroups/a", None);
        check("/sys/fs/cgroup", "/a", None);
    }

    #[test]
    fn a_directory_of_another_file_system_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Cgroups::new(directory.path()), Err(CgroupsError::NotCgroup2 { .. })));
        let missing = Cgroups::new(&directory.path().join("missing"));
        assert!(matches!(missing, Err(CgroupsError::Open { .. })));
    }
}
