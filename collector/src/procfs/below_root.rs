//! Files below `/proc/<tgid>/root`: the process's own `/etc/passwd`, or the path of its image.
//!
//! All of it belongs to the process, which may be a hostile container: a link may point at the host's files, a name
//! may be a FIFO that never answers or a device that acts when it is opened. So the kernel resolves the path with
//! that root as its limit, and the type of the file is checked before it is opened.
//!
//! One risk is left: a directory on a file system served by a process (FUSE) or a network may answer late and block
//! the calling thread. The kernel refuses the agent a FUSE mount of an unprivileged user, unless the machine permits
//! `allow_other`.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::error::ReadError;
use super::process_dir::ProcessDir;
use crate::file_calls::{fstat, fstatfs, openat, openat2};

/// `openat2` returns `EAGAIN` if something is renamed or mounted while it resolves `..`. A container can do that all
/// the time.
const ATTEMPTS: u32 = 4;

impl ProcessDir {
    /// Opens a regular file below the root of the process, which may be absolute or relative (`etc/passwd`).
    ///
    /// `None` if there is no such file, if it is not a regular file, or if its path leads out of that root.
    /// [`ReadError::Exited`] only if the process itself is gone.
    pub fn open_below_root(&self, path: &Path) -> Result<Option<File>, ReadError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            openat(self.dir(), "root", flags, Mode::empty()).map_err(|errno| self.error("root", errno))?;
        match open_regular(&root, path) {
            Ok(file) => Ok(file),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG) => Ok(None),
            Err(errno) => Err(self.error("root", errno)),
        }
    }
}

/// Finds the file without opening it, checks its type, and opens it.
fn open_regular(root: &OwnedFd, path: &Path) -> Result<Option<File>, Errno> {
    let found = match resolve_in_root(root, path) {
        // Linux before 5.6 has no openat2; a seccomp filter that does not know it answers EPERM.
        Err(Errno::NOSYS | Errno::PERM) => walk_without_links(root, path)?,
        resolved => resolved?,
    };
    let regular = FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::RegularFile;
    if !regular || !keeps_files(&found)? {
        return Ok(None);
    }
    let link = [b"/proc/self/fd/", DecInt::from_fd(&found).as_bytes()].concat();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(CWD, link.as_slice(), flags, Mode::empty()).map(|fd| Some(File::from(fd)))
}

/// Whether the file is on a file system that only stores files. Opening or reading a file of /proc or tracefs may
/// have effects or wait forever (`/proc/kmsg`, `trace_pipe`), and so may one of FUSE or a network. So this is a list
/// of harmless ones.
fn keeps_files(file: &OwnedFd) -> Result<bool, Errno> {
    /// `f_type` of statfs(2): ext2 to ext4, XFS, Btrfs, overlayfs, tmpfs, ramfs, F2FS, EROFS, `SquashFS`, ZFS, bcachefs.
    const KEEPING: [i64; 11] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x794c_7630,
        0x0102_1994,
        0x8584_58f6,
        0xf2f5_2010,
        0xe0f5_e1e2,
        0x7371_7368,
        0x2fc1_2fc1,
        0xca45_1a4e,
    ];
    let kind = fstatfs(file)?.f_type;
    // Some architectures sign-extend the number.
    Ok(KEEPING.contains(&(kind & 0xffff_ffff)))
}

/// The kernel uses `root` as `/`, also for absolute links and `..`, and follows no link of `/proc` out of it.
fn resolve_in_root(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut attempts = 1;
    loop {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if attempts < ATTEMPTS => attempts += 1,
            resolved => return resolved,
        }
    }
}

/// One name after the other, without openat2: a path with a link or `..` in it is refused.
fn walk_without_links(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut found = openat(root, ".", flags, Mode::empty())?;
    for component in path.components() {
        match component {
            Component::Normal(name) => found = openat(found.as_fd(), name, flags, Mode::empty())?,
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::LOOP),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A root with `etc/passwd` that contains `inside`, beside a file `outside` that must never be read.
    fn world() -> tempfile::TempDir {
        let world = tempfile::tempdir().unwrap();
        fs::create_dir_all(world.path().join("root/etc")).unwrap();
        fs::write(world.path().join("root/etc/passwd"), "inside").unwrap();
        fs::write(world.path().join("outside"), "outside").unwrap();
        world
    }

    /// Checks what is read at `path`, by the kernel's resolution and by the walk without it.
    #[track_caller]
    fn check(world: &tempfile::TempDir, path: &str, resolved: Option<&str>, walked: Option<&str>) {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let root = openat(CWD, world.path().join("root"), flags, Mode::empty()).unwrap();
        let content = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        };
        let found = open_regular(&root, Path::new(path)).ok().flatten().map(content);
        assert_eq!(found.as_deref(), resolved);
        let found = walk_without_links(&root, Path::new(path)).ok();
        let regular = found.filter(|found| fstat(found).unwrap().st_mode & 0o170_000 == 0o100_000);
        assert_eq!(regular.is_some(), walked.is_some());
    }

    #[test]
    fn a_file_of_proc_is_not_opened() {
        let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        assert!(open_regular(&root, Path::new("proc/version")).unwrap().is_none());
    }

    #[test]
    fn a_file_is_found_by_an_absolute_and_by_a_relative_path() {
        check(&world(), "etc/passwd", Some("inside"), Some("inside"));
        check(&world(), "/etc/passwd", Some("inside"), Some("inside"));
    }

    #[test]
    fn a_link_cannot_lead_outside() {
        let world = world();
        symlink("../../outside", world.path().join("root/etc/relative")).unwrap();
        symlink(world.path().join("outside"), world.path().join("root/etc/absolute")).unwrap();
        symlink("/proc/self/root/etc/hostname", world.path().join("root/etc/magic")).unwrap();
        check(&world, "etc/relative", None, None);
        check(&world, "etc/absolute", None, None);
        check(&world, "etc/magic", None, None);
        check(&world, "../outside", None, None);
    }

    #[test]
    fn a_link_within_the_root_is_followed_from_that_root() {
        let world = world();
        symlink("/etc/passwd", world.path().join("root/passwd")).unwrap();
        check(&world, "passwd", Some("inside"), None);
    }

    #[test]
    fn a_fifo_and_a_directory_are_refused_without_waiting() {
        let world = world();
        rustix::fs::mkfifoat(CWD, world.path().join("root/etc/fifo"), Mode::RUSR).unwrap();
        check(&world, "etc/fifo", None, None);
        check(&world, "etc", None, None);
    }

    #[test]
    fn a_missing_file_is_not_an_error() {
        check(&world(), "etc/group", None, None);
        check(&world(), "etc/passwd/x", None, None);
        check(&world(), "", None, None);
    }
}
