//! `Proc`: the root of a proc file system.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Dir, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::error::{OpenProcError, ReadError};
use super::process_dir::ProcessDir;
use super::stat::StartTicks;
use crate::file_calls::openat;

/// A proc file system: the live one, or a directory that looks like it.
///
/// Holds an `O_PATH` descriptor, so a later mount over `/proc` has no effect.
///
/// The agent must be in the host's PID and time namespaces: the kernel prints ids and start times for those of the
/// reader.
#[derive(Debug)]
pub struct Proc {
    /// `None` if there is no proc file system.
    dir: Option<OwnedFd>,
}

impl Proc {
    /// The `/proc` of this machine. An empty directory instead, as a chroot may have, is an error.
    pub fn live() -> Result<Self, OpenProcError> {
        let path = Path::new("/proc");
        let proc = Self::at(path)?;
        let magic = proc.dir.as_ref().and_then(|dir| fstatfs(dir).ok()).map(|system| system.f_type);
        if magic == Some(PROC_SUPER_MAGIC) {
            Ok(proc)
        } else {
            Err(OpenProcError { path: path.to_owned(), source: Errno::NODEV })
        }
    }

    /// A directory that looks like `/proc`.
    pub fn at(path: &Path) -> Result<Self, OpenProcError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, path, flags, Mode::empty())
            .map(|dir| Self { dir: Some(dir) })
            .map_err(|source| OpenProcError { path: path.to_owned(), source })
    }

    /// No proc file system, for a replay: reads end with [`ReadError::NoProc`], and no process is alive.
    #[must_use]
    pub fn nowhere() -> Self {
        Self { dir: None }
    }

    /// Whether there is no proc file system: see [`Proc::nowhere`].
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.dir.is_none()
    }

    /// Opens `/proc/<tgid>`, if it still belongs to the process that began at `expected`.
    ///
    /// `None` accepts any process; [`ProcessDir::start`] says which it is. It also accepts the id of a thread that
    /// leads no group: see [`ProcessDir::leads_its_group`].
    pub fn process(&self, tgid: u32, expected: Option<StartTicks>) -> Result<ProcessDir, ReadError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = self.dir.as_ref().ok_or(ReadError::NoProc { tgid })?;
        let dir = openat(root, DecInt::new(tgid).as_c_str(), flags, Mode::empty())
            .map_err(|errno| ReadError::sorted(tgid, "", errno))?;
        let process = ProcessDir::open(tgid, dir)?;
        match expected {
            Some(start) if start != process.start() => Err(ReadError::Exited { tgid }),
            Some(_) | None => Ok(process),
        }
    }

    /// Whether the process that began at `start` still runs: see [`ProcessDir::is_alive`].
    pub fn is_alive(&self, tgid: u32, start: StartTicks) -> Result<bool, ReadError> {
        match self.process(tgid, Some(start)) {
            Ok(process) => process.is_alive(),
            Err(ReadError::Exited { .. } | ReadError::NoProc { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The current thread-group ids, in the kernel's order; threads that lead no group are not listed.
    ///
    /// Processes that begin during the walk may be missing.
    pub fn tgids(&self) -> Result<Vec<u32>, Errno> {
        let mut tgids = Vec::new();
        // An `O_PATH` descriptor cannot be listed, so the directory is opened again.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Some(root) = &self.dir else { return Ok(tgids) };
        for entry in Dir::new(openat(root, ".", flags, Mode::empty())?)? {
            if let Some(tgid) = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
                tgids.push(tgid);
            }
        }
        Ok(tgids)
    }
}
