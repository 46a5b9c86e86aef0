//! `ProcessDir`: an open `/proc/<tgid>`, which answers for one process or not at all.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::ReadError;
use super::file::{Namespace, ProcFile, ProcLink, Read, fill};
use super::link::namespace_inode;
use super::stat::{StartTicks, Stat};
use crate::file_calls::{openat, read, readlinkat_raw};

/// Longest `stat` line: 50 numbers of up to 20 digits with a space each, a comm of at most 64 bytes, and some room.
const STAT_LEN: usize = 2048;

/// The kernel builds the target of a link in one page, and returns `ENAMETOOLONG` for a longer one.
const LINK_LEN: usize = 4096;

/// An open `/proc/<tgid>`.
///
/// It never answers for another process. The kernel's inode of the directory refers to the `struct pid` that it was
/// looked up for (`PROC_I(inode)->pid`), not to the number. A reused number has a new `struct pid`, and so another
/// inode; the old one finds no task any more: each lookup below it fails with `ENOENT`, each read with `ESRCH`. After
/// an exec by a thread other than the leader the handle stays valid, since the thread takes over the leader's `struct
/// pid` and start time.
///
/// So the start time is checked once, here, and the later reads need no check. If the leader has ended before its
/// threads, the process lives on, but `exe`, `cwd`, `maps`, `cmdline` and `environ` are those of a zombie.
#[derive(Debug)]
pub struct ProcessDir {
    tgid: u32,
    start: StartTicks,
    dir: OwnedFd,
}

impl ProcessDir {
    /// Takes over an open directory and reads when the process began.
    pub(super) fn open(tgid: u32, dir: OwnedFd) -> Result<Self, ReadError> {
        let start = with_stat(&dir, tgid, |stat| stat.starttime)?;
        Ok(Self { tgid, start, dir })
    }

    /// The thread-group id.
    #[must_use]
    pub fn tgid(&self) -> u32 {
        self.tgid
    }

    /// When the process began. Together with the id it identifies the process.
    #[must_use]
    pub fn start(&self) -> StartTicks {
        self.start
    }

    /// Whether the process still runs. A zombie does not, but a process does if only its leader has ended.
    pub fn is_alive(&self) -> Result<bool, ReadError> {
        match with_stat(&self.dir, self.tgid, |stat| !stat.is_dead()) {
            Err(ReadError::Exited { .. }) => Ok(false),
            answer => answer,
        }
    }

    /// Whether the id is that of a process, not of a thread: `/proc/<id>` opens for each thread as well.
    ///
    /// From the `Tgid` line of `status`. For ids that people type; records always have thread-group ids.
    pub fn leads_its_group(&self) -> Result<bool, ReadError> {
        self.group().map(|tgid| tgid == self.tgid)
    }

    /// The thread-group id from `status`: it differs from the id in the path if that is a thread's.
    pub fn group(&self) -> Result<u32, ReadError> {
        let mut status = Vec::new();
        self.read_into(ProcFile::Status, &mut status, FIRST_LINES)?;
        status
            .split(|&byte| byte == b'\n')
            .find_map(|line| line.strip_prefix(b"Tgid:"))
            .and_then(|tgid| str::from_utf8(tgid.trim_ascii()).ok()?.parse::<u32>().ok())
            .ok_or(ReadError::Malformed { tgid: self.tgid, file: ProcFile::Status.name() })
    }

    /// Replaces the content of `buffer` by the file, cut at `limit` bytes.
    ///
    /// One open, as few reads as possible, one close. Allocates only to grow the buffer.
    pub fn read_into(&self, file: ProcFile, buffer: &mut Vec<u8>, limit: usize) -> Result<Read, ReadError> {
        buffer.clear();
        open(&self.dir, file.name(), OFlags::empty())
            .and_then(|fd| fill(fd.as_fd(), file, buffer, limit))
            .map_err(|errno| self.error(file.name(), errno))
    }

    /// The target of a link, as the kernel prints it: see [`link`](super::link) for what it appends.
    ///
    /// A target that fills a page or more is [`ReadError::Io`] with `ENAMETOOLONG`.
    pub fn link(&self, link: ProcLink) -> Result<Vec<u8>, ReadError> {
        read_link(&self.dir, link.name()).map_err(|errno| self.error(link.name(), errno))
    }

    /// The inode number of a namespace: `ns_common.inum`. Taken from the text of the link, `mnt:[4026531841]`, since
    /// a fake `/proc` has no file behind it.
    pub fn namespace(&self, namespace: Namespace) -> Result<u32, ReadError> {
        let file = namespace.name();
        let target = read_link(&self.dir, file).map_err(|errno| self.error(file, errno))?;
        namespace_inode(&target).ok_or(ReadError::Malformed { tgid: self.tgid, file })
    }

    /// Opens the image that runs, even if its file was removed or replaced.
    ///
    /// This may block on a file system that is served by a process or a network, so the thread that reads the ring
    /// must not call it.
    pub fn open_exe(&self) -> Result<File, ReadError> {
        open(&self.dir, "exe", OFlags::NONBLOCK | OFlags::NOCTTY)
            .map(File::from)
            .map_err(|errno| self.error("exe", errno))
    }

    /// The descriptor of the directory, for lookups below it.
    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Sorts the error of a file of this process.
    pub(super) fn error(&self, file: &'static str, errno: Errno) -> ReadError {
        ReadError::sorted(self.tgid, file, errno)
    }
}

/// `Name`, `Umask`, `State` and `Tgid` come first in `status`.
const FIRST_LINES: usize = 512;

/// Reads `stat` on the stack and passes it to `look`.
fn with_stat<T>(dir: &OwnedFd, tgid: u32, look: impl FnOnce(&Stat<'_>) -> T) -> Result<T, ReadError> {
    let file = ProcFile::Stat.name();
    let mut buffer = [MaybeUninit::uninit(); STAT_LEN];
    // The kernel prints the line in one piece, so one read has all of it.
    let line = open(dir, file, OFlags::empty())
        .and_then(|stat| match read(&stat, &mut buffer) {
            Ok((line, _)) => Ok(line),
            Err(errno) => Err(errno),
        })
        .map_err(|errno| ReadError::sorted(tgid, file, errno))?;
    Stat::parse(line).map(|stat| look(&stat)).ok_or(ReadError::Malformed { tgid, file })
}

/// Opens a file below `dir` for reading.
fn open(dir: &OwnedFd, file: &'static str, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat(dir, file, OFlags::RDONLY | OFlags::CLOEXEC | flags, Mode::empty())
}

/// Reads a link on the stack; allocates only the target itself.
fn read_link(dir: &OwnedFd, link: &'static str) -> Result<Vec<u8>, Errno> {
    let mut buffer = [MaybeUninit::uninit(); LINK_LEN];
    let (target, _) = readlinkat_raw(dir, link, &mut buffer)?;
    Ok(target.to_vec())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::{Child, Command};
    use std::thread;
    use std::time::Duration;

    use super::super::{root::Proc, split_nul};
    use super::*;

    /// A `/proc` with one process, 7, that began at 4321 and is `state`.
    fn fake(state: char) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir_all(proc.path().join("7/ns")).unwrap();
        let stat = format!("7 (a) {state} 1 7 7 0 -1 4 1 2 3 4 50 60 7 8 20 0 1 0 4321 1024 9 0 0\n");
        fs::write(proc.path().join("7/stat"), stat).unwrap();
        fs::write(proc.path().join("7/cmdline"), "a\0b c\0").unwrap();
        fs::write(proc.path().join("7/status"), "Name:\ta\nTgid:\t7\nPid:\t7\n").unwrap();
        symlink("mnt:[4026531841]", proc.path().join("7/ns/mnt")).unwrap();
        symlink("/usr/bin/a", proc.path().join("7/exe")).unwrap();
        proc
    }

    /// Checks the result of opening process 7 of a fake `/proc`.
    #[track_caller]
    fn check(tgid: u32, start: u64, expected: Result<u64, ReadError>) {
        let directory = fake('S');
        let proc = Proc::at(directory.path()).unwrap();
        let found = proc.process(tgid, Some(StartTicks(start))).map(|process| process.start().0);
        assert_eq!(found, expected);
    }

    /// A child that sleeps, and its open directory.
    fn child() -> (Child, ProcessDir) {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Proc::live().unwrap().process(child.id(), None).unwrap();
        (child, process)
    }

    #[test]
    fn a_process_is_its_id_and_its_start() {
        check(7, 4321, Ok(4321));
        check(7, 4320, Err(ReadError::Exited { tgid: 7 }));
        check(8, 4321, Err(ReadError::Exited { tgid: 8 }));
    }

    #[test]
    fn a_fake_proc_answers_like_the_live_one() {
        let directory = fake('S');
        let process = Proc::at(directory.path()).unwrap().process(7, None).unwrap();
        assert_eq!(process.link(ProcLink::Exe), Ok(b"/usr/bin/a".to_vec()));
        assert_eq!(process.namespace(Namespace::Mnt), Ok(4_026_531_841));
        assert_eq!(process.leads_its_group(), Ok(true));
        assert_eq!(Proc::at(directory.path()).unwrap().tgids(), Ok(vec![7]));
    }

    #[test]
    fn a_kept_buffer_is_replaced_and_does_not_grow() {
        let directory = fake('S');
        let process = Proc::at(directory.path()).unwrap().process(7, None).unwrap();
        let mut buffer = vec![b'x'; 4096];
        let end = process.read_into(ProcFile::Cmdline, &mut buffer, 65_536).unwrap();
        assert!(!end.truncated);
        assert_eq!(split_nul(&buffer).collect::<Vec<_>>(), [b"a".as_slice(), b"b c"]);
        assert_eq!(buffer.capacity(), 4096);
    }

    #[test]
    fn an_empty_stat_is_malformed() {
        let directory = fake('S');
        fs::write(directory.path().join("7/stat"), "").unwrap();
        let error = Proc::at(directory.path()).unwrap().process(7, None).unwrap_err();
        assert_eq!(error, ReadError::Malformed { tgid: 7, file: "stat" });
    }

    #[test]
    fn an_error_says_what_was_tried_on_what() {
        let denied = ReadError::sorted(7, "maps", Errno::ACCESS);
        assert_eq!(denied.to_string(), "not allowed to read /proc/7/maps");
        let io = ReadError::sorted(7, "environ", Errno::IO);
        assert_eq!(io.to_string(), "cannot read /proc/7/environ");
    }

    #[test]
    fn a_zombie_is_not_alive() {
        let directory = fake('Z');
        assert_eq!(Proc::at(directory.path()).unwrap().is_alive(7, StartTicks(4321)), Ok(false));
    }

    #[test]
    fn a_running_child_is_alive_and_a_zombie_is_not() {
        let (mut child, process) = child();
        assert_eq!(process.is_alive(), Ok(true));
        child.kill().unwrap();
        while process.is_alive().unwrap() {
            thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
    }

    #[test]
    fn the_handle_of_a_process_that_was_reaped_says_that_it_exited() {
        let (mut child, process) = child();
        child.kill().unwrap();
        child.wait().unwrap();
        let exited = ReadError::Exited { tgid: child.id() };
        assert_eq!(process.read_into(ProcFile::Environ, &mut Vec::new(), 4096).unwrap_err(), exited);
        assert_eq!(process.read_into(ProcFile::Stat, &mut Vec::new(), 4096).unwrap_err(), exited);
        assert_eq!(process.link(ProcLink::Exe).unwrap_err(), exited);
        assert_eq!(process.is_alive(), Ok(false));
    }
}
