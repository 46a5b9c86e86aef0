//! Mounts of a test's own, and a root to be locked into; all unmounted at the end.

use std::{
    ffi::CString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

/// A mount.
#[derive(Debug)]
pub struct Mounted {
    /// Where.
    pub directory: PathBuf,
}

impl Mounted {
    /// An empty file system in memory.
    pub fn tmpfs(directory: &Path) -> Self {
        Self::new("tmpfs", directory, "mode=755")
    }

    /// An empty file system in memory with so little room.
    pub fn small(directory: &Path, bytes: u64) -> Self {
        Self::new("tmpfs", directory, &format!("mode=755,size={bytes}"))
    }

    /// Gives a file system in memory more room.
    pub fn grow(&self, bytes: u64) {
        let options = CString::new(format!("size={bytes}")).unwrap();
        mount_remount(&self.directory, MountFlags::empty(), options.as_c_str()).unwrap();
    }

    /// An overlay of one directory, which stays as it is, and another one, which takes the changes. It is mounted at
    /// `merged` in a directory that holds `lower`, `upper` and `work` as well.
    pub fn overlay(parent: &Path) -> Self {
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir_all(parent.join(name)).unwrap();
        }
        let at = parent.display();
        let options = format!("lowerdir={at}/lower,upperdir={at}/upper,workdir={at}/work");
        Self::new("overlay", &parent.join("merged"), &options)
    }

    fn new(kind: &str, directory: &Path, options: &str) -> Self {
        let options = CString::new(options).unwrap();
        mount("collector-test", directory, kind, MountFlags::empty(), Some(options.as_c_str())).unwrap();
        Self { directory: directory.to_owned() }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.directory, UnmountFlags::DETACH).unwrap();
    }
}

/// A directory that programs with shared libraries can have as their root.
#[derive(Debug)]
pub struct Jail {
    /// Where.
    pub directory: PathBuf,
}

impl Jail {
    /// With the machine's own `/usr` in it.
    pub fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("usr")).unwrap();
        mount_bind("/usr", directory.join("usr")).unwrap();
        for name in ["bin", "lib", "lib64"] {
            if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
                symlink(target, directory.join(name)).unwrap();
            }
        }
        Self { directory: directory.to_owned() }
    }
}

impl Drop for Jail {
    fn drop(&mut self) {
        unmount(self.directory.join("usr"), UnmountFlags::DETACH).unwrap();
    }
}
