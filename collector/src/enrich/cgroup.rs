//! The path of a cgroup, from the id that the kernel side sends.
//!
//! An id of version 2 is that of the node in kernfs, which is the inode number of the directory too. The kernel opens a
//! node by its id, so no walk over the mount is needed, and a group that lives for a moment is found as long as it lives.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FsWord, Mode, OFlags};
use rustix::io::Errno;

use crate::{
    file_calls::{fstatfs, openat},
    linux::{open_by_kernfs_id, path_of},
};

/// Groups whose paths are kept. A node of Kubernetes has some hundreds; a host that starts a unit for each job has more,
/// and then the oldest is asked for again.
pub(super) const CAPACITY: usize = 4096;

/// `CGROUP2_SUPER_MAGIC` of include/uapi/linux/magic.h.
const CGROUP2_MAGIC: FsWord = 0x6367_7270;

/// What `d_path` puts behind the path of a directory that was removed.
const DELETED: &str = " (deleted)";

/// The directory cannot tell the paths of cgroups.
#[derive(Debug, thiserror::Error)]
pub enum CgroupsError {
    /// It cannot be opened.
    #[error("cannot open {} as the mount of cgroup version 2", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: Errno,
    },
    /// It is of another file system: version 1 perhaps.
    #[error("{} is no mount of cgroup version 2", path.display())]
    NotCgroup2 {
        /// The directory.
        path: PathBuf,
    },
}

/// Paths of cgroups by id.
#[derive(Debug)]
pub struct Cgroups {
    mount: Mount,
    paths: Paths,
}

impl Cgroups {
    /// Takes the directory where cgroup version 2 is mounted: the whole tree, from the host's cgroup namespace.
    ///
    /// Needs `CAP_DAC_READ_SEARCH` for each id that is looked up later.
    pub fn new(mount: &Path) -> Result<Self, CgroupsError> {
        Ok(Self { mount: Mount::open(mount)?, paths: Paths::default() })
    }

    /// The path below the mount: `/system.slice/x.service`, `/` for the root. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// `None` for a group that is gone or was never there; that is not kept, since the next id may be asked for while
    /// it still lives. A path that is kept stays right: version 2 refuses to rename a group, and an id is given once in
    /// a boot. Source: `__kernfs_new_node`, Linux 6.18: the low half is counted up, and the high half counts how often
    /// the low half began again.
    pub fn path(&mut self, id: u64) -> Option<Arc<str>> {
        self.paths.get_or_find(id, |id| self.mount.find(id))
    }
}

/// The paths that are known, oldest first out.
#[derive(Debug, Default)]
struct Paths {
    by_id: HashMap<u64, Arc<str>>,
    oldest_first: VecDeque<u64>,
}

impl Paths {
    fn get_or_find(&mut self, id: u64, find: impl FnOnce(u64) -> Option<Arc<str>>) -> Option<Arc<str>> {
        if let Some(path) = self.by_id.get(&id) {
            return Some(Arc::clone(path));
        }
        let path = find(id)?;
        if self.oldest_first.len() == CAPACITY
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        self.oldest_first.push_back(id);
        self.by_id.insert(id, Arc::clone(&path));
        Some(path)
    }
}

/// The mount of cgroup version 2.
#[derive(Debug)]
struct Mount {
    dir: OwnedFd,
    /// Its path as the kernel prints it, with no `/` at the end.
    path: String,
}

impl Mount {
    fn open(path: &Path) -> Result<Self, CgroupsError> {
        let failed = |source| CgroupsError::Open { path: path.to_owned(), source };
        // Not O_PATH: `open_by_handle_at` wants a file that is open in earnest.
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
        // It may have been removed since it was opened, or be named so. A removed one does not open again.
        if printed.ends_with(DELETED) {
            open_by_kernfs_id(self.dir.as_fd(), id).ok()?;
        }
        below(&self.path, &printed).map(Arc::from)
    }
}

/// The path below the mount. `None` where it is not below: a mount that shows a part of the tree alone.
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
    fn a_path_begins_at_the_mount() {
        check("/sys/fs/cgroup", "/sys/fs/cgroup/system.slice/x.service", Some("/system.slice/x.service"));
        check("/sys/fs/cgroup", "/sys/fs/cgroup", Some("/"));
        check("", "/a", Some("/a"));
    }

    #[test]
    fn a_path_outside_the_mount_is_none() {
        check("/sys/fs/cgroup", "/sys/fs/cgroups/a", None);
        check("/sys/fs/cgroup", "/a", None);
    }

    #[test]
    fn a_known_group_is_not_looked_for_again() {
        let mut paths = Paths::default();
        assert_eq!(paths.get_or_find(7, |_| Some(Arc::from("/a"))).as_deref(), Some("/a"));
        assert_eq!(paths.get_or_find(7, |_| unreachable!()).as_deref(), Some("/a"));
    }

    #[test]
    fn a_group_that_is_not_there_is_looked_for_again() {
        let mut paths = Paths::default();
        assert_eq!(paths.get_or_find(7, |_| None), None);
        assert_eq!(paths.get_or_find(7, |_| Some(Arc::from("/a"))).as_deref(), Some("/a"));
    }

    #[test]
    fn a_full_table_forgets_the_oldest() {
        let mut paths = Paths::default();
        for id in 0..=u64::try_from(CAPACITY).unwrap() {
            paths.get_or_find(id, |_| Some(Arc::from("/a")));
        }
        assert_eq!((paths.by_id.len(), paths.oldest_first.len()), (CAPACITY, CAPACITY));
        assert_eq!(paths.get_or_find(0, |_| None), None);
        assert_eq!(paths.get_or_find(1, |_| None).as_deref(), Some("/a"));
    }

    #[test]
    fn a_directory_of_another_file_system_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Cgroups::new(directory.path()), Err(CgroupsError::NotCgroup2 { .. })));
        let missing = Cgroups::new(&directory.path().join("missing"));
        assert!(matches!(missing, Err(CgroupsError::Open { .. })));
    }
}
