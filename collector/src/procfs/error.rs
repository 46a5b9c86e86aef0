//! What can go wrong with `/proc`. Most short processes cause such an error, so no variant allocates.

use std::path::PathBuf;

use rustix::io::Errno;

/// Why a file of `/proc/<tgid>` could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The process is gone (`ENOENT`, `ESRCH`), or another process has its id by now.
    ///
    /// Files that a task does not have return the same error: `exe` of a kernel task; `exe`, `cwd`, `root` and `ns` of a
    /// zombie; on Linux 6.18 `environ` of both, which is empty on older kernels.
    #[error("process {tgid} has exited")]
    Exited {
        /// The id of the process.
        tgid: u32,
    },
    /// There is no proc file system to read: the process is one of a recording. See [`Proc::nowhere`](super::Proc::nowhere).
    #[error("process {tgid} is one of a recording, and its /proc is gone")]
    NoProc {
        /// The id of the process.
        tgid: u32,
    },
    /// `EACCES` or `EPERM`: the agent lacks `CAP_SYS_PTRACE`, or a security module refuses.
    #[error("not allowed to read /proc/{tgid}/{file}")]
    Denied {
        /// The id of the process.
        tgid: u32,
        /// The name below `/proc/<tgid>`.
        file: &'static str,
    },
    /// The kernel returned another error.
    #[error("cannot read /proc/{tgid}/{file}")]
    Io {
        /// The id of the process.
        tgid: u32,
        /// The name below `/proc/<tgid>`.
        file: &'static str,
        /// The error.
        source: Errno,
    },
    /// The content of the file is not what proc(5) describes.
    #[error("cannot make sense of /proc/{tgid}/{file}")]
    Malformed {
        /// The id of the process.
        tgid: u32,
        /// The name below `/proc/<tgid>`.
        file: &'static str,
    },
}

impl ReadError {
    /// Sorts the error of a read of `/proc/<tgid>/<file>`.
    pub(super) fn sorted(tgid: u32, file: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::SRCH => Self::Exited { tgid },
            Errno::ACCESS | Errno::PERM => Self::Denied { tgid, file },
            source => Self::Io { tgid, file, source },
        }
    }
}

/// A directory could not be opened as `/proc`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("cannot open {0} as a proc file system (mount -t proc proc {0})", path.display())]
pub struct OpenProcError {
    /// The directory.
    pub path: PathBuf,
    /// The error.
    pub source: Errno,
}
