//! Where cgroup v2 is mounted: at /sys/fs/cgroup, or elsewhere if v1 and v2 are mixed.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use ::procfs::process::Process;

/// The mount of the cgroup v2 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupMount {
    path: PathBuf,
    mixed: bool,
}

impl CgroupMount {
    /// The mount point.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether v1 hierarchies are mounted as well. A container may then be visible in those alone.
    #[must_use]
    pub fn is_mixed_with_v1(&self) -> bool {
        self.mixed
    }

    /// Opens the root of the hierarchy.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

/// Finds the first mount in /proc/self/mountinfo that has the root of the hierarchy. A bind mount of a part of it would
/// leave the rest of the machine unseen.
#[must_use]
pub fn find_cgroup2() -> Option<CgroupMount> {
    let mounts = Process::myself().and_then(|process| process.mountinfo()).ok()?;
    let mixed = mounts.0.iter().any(|mount| mount.fs_type == "cgroup");
    let whole = mounts.0.iter().find(|mount| mount.fs_type == "cgroup2" && mount.root == "/");
    whole.map(|mount| CgroupMount { path: mount.mount_point.clone(), mixed })
}
