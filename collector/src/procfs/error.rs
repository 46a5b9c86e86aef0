//! What can go wrong with `/proc`. Made once or more for most short processes, so no variant allocates.

use std::path::PathBuf;

use rustix::io::Errno;

/// Why a file of `/proc/<tgid>` has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The process is gone (`ENOENT`, `ESRCH`), or the id belongs to another life by now.
    ///
    /// What a task does not have answers alike: `exe` of a kernel task; `exe`, `cwd`, `root` and `ns` of a zombie; on
    /// Linux 6.18 `environ` of both, which older kernels give as empty. So ask [`is_kernel_task`](super::is_kernel_task)
    /// before taking that for an end.
    #[error("process {tgid} has exited")]
    Exited {
        /// The process that was asked for.
        tgid: u32,
    },
    /// `EACCES` or `EPERM`: the agent lacks `CAP_SYS_PTRACE`, or a security module refuses.
    #[error("not allowed to read /proc/{tgid}/{file}")]
    Denied {
        /// The process that was asked for.
        tgid: u32,
        /// The name below `/proc/<tgid>`.
        file: &'static str,
    },
    /// Any other answer of the kernel.
    #[error("cannot read /proc/{tgid}/{file}")]
    Io {
        /// The process that was asked for.
        tgid: u32,
        /// The name below `/proc/<tgid>`.
        file: &'static str,
        /// What the kernel said.
        source: Errno,
    },
    /// The file was read, and is not what proc(5) says that it is.
    #[error("cannot make sense of /proc/{tgid}/{file}")]
    Malformed {
        /// The process that was asked for.
        tgid: u32,
        /// The name below `/proc/<tgid>`.
        file: &'static str,
    },
}

impl ReadError {
    /// Sorts what the kernel said to a read of `/proc/<tgid>/<file>`.
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
#[error("cannot open {} as a proc file system", path.display())]
pub struct OpenProcError {
    /// What was to be opened.
    pub path: PathBuf,
    /// What the kernel said.
    pub source: Errno,
}
