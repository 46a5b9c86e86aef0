//! The image that a process runs, and its name.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::error::ReadError;
use super::file::ProcLink;
use super::link::{strip_deleted, without_deleted};
use super::process_dir::ProcessDir;
use crate::file_calls::{fstat, fstatfs, openat, statat};
use crate::linux::path_of;

/// The image that a process runs: its path and its identity, which belong together.
#[derive(Debug, Clone)]
pub struct RunningImage {
    /// Absolute, as seen from the root of the mount namespace of the process, without ` (deleted)`.
    pub path: Vec<u8>,
    /// The file no longer has this name.
    pub deleted: bool,
    /// The file is in memory, made by `memfd_create`.
    pub memfd: bool,
    /// The file system is FUSE: a user may choose what it says about the file.
    pub foreign: bool,
    /// Device, inode, size, times, mode, owner and link count.
    pub stat: Stat,
}

impl ProcessDir {
    /// The image that runs.
    ///
    /// A descriptor pins `exe` first, so path and identity belong to one file even if the process execs in between.
    /// Opens nothing for reading.
    pub fn image(&self) -> Result<RunningImage, ReadError> {
        self.pinned_image().map_err(|errno| self.error("exe", errno))
    }

    /// The working directory, without the mark of a removed one. The link count decides, since a live directory may
    /// be named so.
    ///
    /// A path that fills a page or more is [`ReadError::Io`] with `ENAMETOOLONG`.
    pub fn cwd(&self) -> Result<Vec<u8>, ReadError> {
        let printed = self.link(ProcLink::Cwd)?;
        let Some(marked) = strip_deleted(&printed) else { return Ok(printed) };
        let pinned = openat(self.dir(), ProcLink::Cwd.name(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let has_a_name = pinned.and_then(fstat).is_ok_and(|stat| stat.st_nlink > 0);
        Ok(if has_a_name { printed } else { marked.to_vec() })
    }

    fn pinned_image(&self) -> Result<RunningImage, Errno> {
        let exe = openat(self.dir(), "exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let stat = fstat(&exe)?;
        let printed = path_of(exe.as_fd())?;
        let target = without_deleted(&printed, stat.st_nlink > 0);
        let (path, deleted) = match strip_deleted(target.path) {
            Some(path) if !target.deleted && !self.is_name_of(target.path, &stat) => (path, true),
            Some(_) | None => (target.path, target.deleted),
        };
        // A server that does not answer makes it one.
        let foreign = is_fuse(&exe).unwrap_or(true);
        Ok(RunningImage { path: path.to_vec(), deleted, memfd: target.memfd, foreign, stat })
    }

    /// Whether `path`, seen from the root of the process, leads to a file with this inode number. Distinguishes a
    /// mapping of a live file named `x (deleted)` from one of a removed `x`. Ignores the device, which btrfs reports
    /// differently here.
    #[must_use]
    pub fn is_name_of_inode(&self, path: &[u8], inode: u64) -> bool {
        self.stat_below_root(path).is_ok_and(|found| found.st_ino == inode)
    }

    /// Whether `path` leads to the file. Distinguishes a live file named `x (deleted)` from an `x` that was removed
    /// while another hard link to it remains.
    fn is_name_of(&self, path: &[u8], file: &Stat) -> bool {
        self.stat_below_root(path)
            .is_ok_and(|found| (found.st_dev, found.st_ino) == (file.st_dev, file.st_ino))
    }

    fn stat_below_root(&self, path: &[u8]) -> Result<Stat, Errno> {
        let below_root = [b"root/", path.strip_prefix(b"/").unwrap_or(path)].concat();
        statat(self.dir(), below_root.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// By `f_type` of statfs(2): `FUSE_SUPER_MAGIC`.
fn is_fuse(file: &OwnedFd) -> Result<bool, Errno> {
    Ok(fstatfs(file)?.f_type & 0xffff_ffff == 0x6573_5546)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::OwnedFd;
    use std::path::Path;
    use std::process::Command;

    use rustix::path::DecInt;

    use super::super::root::Proc;

    /// Checks the image of a process that runs a copy of `sleep` named `name`, after `change` in its directory. Paths
    /// are relative to that directory.
    #[track_caller]
    fn check(name: &str, change: impl FnOnce(&Path), expected: (&str, bool)) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        // Not `fs::copy`: a concurrent fork of another test would keep the file open for writing, and exec fails with
        // ETXTBSY.
        assert!(Command::new("cp").arg("/bin/sleep").arg(&file).status().unwrap().success());
        let mut child = Command::new(&file).arg("60").spawn().unwrap();
        change(directory.path());
        let image = Proc::live().unwrap().process(child.id(), None).unwrap().image().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let path = String::from_utf8(image.path).unwrap();
        let directory = directory.path().canonicalize().unwrap();
        let name = path.strip_prefix(directory.to_str().unwrap()).unwrap().trim_start_matches('/');
        assert_eq!((name, image.deleted, image.memfd), (expected.0, expected.1, false));
    }

    #[test]
    fn a_live_image_has_its_name() {
        check("x", |_| (), ("x", false));
    }

    #[test]
    fn a_live_image_named_like_a_deleted_one_keeps_its_name() {
        check("x (deleted)", |_| (), ("x (deleted)", false));
    }

    #[test]
    fn a_removed_image_is_deleted_and_has_the_name_it_had() {
        check("x", |directory| fs::remove_file(directory.join("x")).unwrap(), ("x", true));
    }

    #[test]
    fn a_removed_image_with_another_hard_link_is_deleted_and_has_the_name_it_had() {
        let change = |directory: &Path| {
            fs::hard_link(directory.join("x"), directory.join("y")).unwrap();
            fs::remove_file(directory.join("x")).unwrap();
            fs::write(directory.join("x (deleted)"), "another file").unwrap();
        };
        check("x", change, ("x", true));
    }

    /// Checks the working directory of a process below a fresh directory, after `change` in that.
    #[track_caller]
    fn check_cwd(name: &str, change: impl FnOnce(&Path), expected: &str) {
        let above = tempfile::tempdir().unwrap();
        fs::create_dir(above.path().join(name)).unwrap();
        let mut child =
            Command::new("/bin/sleep").arg("60").current_dir(above.path().join(name)).spawn().unwrap();
        change(above.path());
        let cwd = Proc::live().unwrap().process(child.id(), None).unwrap().cwd().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = above.path().canonicalize().unwrap().join(expected);
        assert_eq!(String::from_utf8(cwd).unwrap(), expected.to_str().unwrap());
    }

    #[test]
    fn a_removed_directory_has_the_name_it_had() {
        check_cwd("d", |above| fs::remove_dir(above.join("d")).unwrap(), "d");
    }

    #[test]
    fn a_live_directory_named_like_a_deleted_one_keeps_its_name() {
        check_cwd("d (deleted)", |_| (), "d (deleted)");
    }

    #[test]
    fn an_image_in_memory_is_a_memfd() {
        let memfd = rustix::fs::memfd_create("payload", rustix::fs::MemfdFlags::empty()).unwrap();
        let mut file = fs::File::from(memfd);
        std::io::copy(&mut fs::File::open("/bin/sleep").unwrap(), &mut file).unwrap();
        let fd = OwnedFd::from(file);
        let path = format!("/proc/self/fd/{}", DecInt::from_fd(&fd).as_str());
        let mut child = Command::new(path).arg("60").spawn().unwrap();
        let image = Proc::live().unwrap().process(child.id(), None).unwrap().image().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(
            (image.path.as_slice(), image.deleted, image.memfd),
            (b"/memfd:payload".as_slice(), true, true)
        );
    }
}
