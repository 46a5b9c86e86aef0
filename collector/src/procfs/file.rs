//! The names below `/proc/<tgid>` that are read, and the one way to read them.

use std::os::fd::BorrowedFd;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, retry_on_intr};

use crate::file_calls::read;

/// Room for the first read into an empty buffer. Most files of `/proc/<tgid>` fit, and seq files return a page at a
/// time.
const FIRST_READ: usize = 4096;

/// A file below `/proc/<tgid>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcFile {
    /// The control groups: see [`cgroup`](super::cgroup).
    Cgroup,
    /// The arguments, each ended by NUL: see [`split_nul`](super::split_nul). Empty for a zombie and a kernel task.
    Cmdline,
    /// The environment as it was at exec, with later changes in place by the process; each entry ends in NUL.
    Environ,
    /// How the user namespace of the process maps group ids: see [`id_map`](super::id_map).
    GidMap,
    /// Bytes read and written.
    Io,
    /// The resource limits.
    Limits,
    /// The memory mappings. Empty for a kernel task, and for a zombie.
    Maps,
    /// The mounts of its mount namespace that it can reach: see [`mountinfo`](super::mountinfo).
    Mountinfo,
    /// The memory mappings, each with its pages in memory and their state.
    Smaps,
    /// The sums of `smaps`. Linux 4.14.
    SmapsRollup,
    /// The kernel stack of the main thread; only root can read it.
    Stack,
    /// One line of numbers: see [`Stat`](super::Stat).
    Stat,
    /// Sizes of the memory, in pages.
    Statm,
    /// Names and values, for people.
    Status,
    /// How the user namespace of the process maps user ids: see [`id_map`](super::id_map).
    UidMap,
}

impl ProcFile {
    /// The name below `/proc/<tgid>`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Cmdline => "cmdline",
            Self::Environ => "environ",
            Self::GidMap => "gid_map",
            Self::Io => "io",
            Self::Limits => "limits",
            Self::Maps => "maps",
            Self::Mountinfo => "mountinfo",
            Self::Smaps => "smaps",
            Self::SmapsRollup => "smaps_rollup",
            Self::Stack => "stack",
            Self::Stat => "stat",
            Self::Statm => "statm",
            Self::Status => "status",
            Self::UidMap => "uid_map",
        }
    }

    /// The last byte of a short read that is known to be the last.
    ///
    /// For files that the kernel prints in one piece or copies from memory, unless it was interrupted. A list of
    /// records (`seq_file`) returns only as many records as fill a page, so only an empty read is its end: `None`.
    const fn last_byte(self) -> Option<u8> {
        match self {
            Self::GidMap | Self::Maps | Self::Mountinfo | Self::Smaps | Self::UidMap => None,
            Self::Cmdline | Self::Environ => Some(0),
            Self::Cgroup
            | Self::Io
            | Self::Limits
            | Self::SmapsRollup
            | Self::Stack
            | Self::Stat
            | Self::Statm
            | Self::Status => Some(b'\n'),
        }
    }
}

/// A symbolic link below `/proc/<tgid>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcLink {
    /// The image that runs.
    Exe,
    /// The working directory.
    Cwd,
    /// The root directory: `/`, or that of a chroot.
    Root,
}

impl ProcLink {
    /// The name below `/proc/<tgid>`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::Cwd => "cwd",
            Self::Root => "root",
        }
    }
}

/// A namespace of a process, by its link below `/proc/<tgid>/ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Control groups.
    Cgroup,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Mounts.
    Mnt,
    /// Network.
    Net,
    /// Process ids.
    Pid,
    /// User and group ids.
    User,
    /// Host name.
    Uts,
}

impl Namespace {
    /// The kernel's name for its kind, such as `mnt`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        let name = self.name();
        name.strip_prefix("ns/").unwrap_or(name)
    }

    /// The name below `/proc/<tgid>`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "ns/cgroup",
            Self::Ipc => "ns/ipc",
            Self::Mnt => "ns/mnt",
            Self::Net => "ns/net",
            Self::Pid => "ns/pid",
            Self::User => "ns/user",
            Self::Uts => "ns/uts",
        }
    }
}

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The file is longer than the limit, so the last entry may be cut. Its length is not known.
    pub truncated: bool,
}

/// Appends the content of `fd`, up to one byte behind `limit`, then cuts at `limit`.
///
/// With a reused buffer this is one read for each file except lists: its spare room is larger than the file, and a
/// short read is known to be the last.
pub(super) fn fill(
    fd: BorrowedFd<'_>,
    file: ProcFile,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> Result<Read, Errno> {
    // One byte more than the limit distinguishes a file that was cut from one that fits exactly.
    let enough = limit.saturating_add(1);
    while buffer.len() < enough {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(FIRST_READ.min(enough - buffer.len()));
        }
        let asked = buffer.capacity() - buffer.len();
        let got = retry_on_intr(|| read(fd, spare_capacity(buffer)))?;
        let is_whole = || file.last_byte().is_some_and(|last| buffer.last() == Some(&last));
        if got == 0 || (got < asked && is_whole()) {
            break;
        }
    }
    let truncated = buffer.len() > limit;
    buffer.truncate(limit);
    Ok(Read { truncated })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    /// Fills an empty buffer of `capacity` from a file of `size` bytes.
    #[track_caller]
    fn check(size: usize, capacity: usize, limit: usize, expected: (usize, bool)) {
        let mut source = tempfile::NamedTempFile::new().unwrap();
        source.write_all(&vec![b'x'; size]).unwrap();
        let mut buffer = Vec::with_capacity(capacity);
        let end = fill(source.reopen().unwrap().as_fd(), ProcFile::Environ, &mut buffer, limit).unwrap();
        assert_eq!((buffer.len(), end.truncated), expected);
    }

    #[test]
    fn a_file_that_fits_is_whole() {
        check(0, 0, 10, (0, false));
        check(7, 0, 10, (7, false));
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_not_cut() {
        check(10, 0, 10, (10, false));
        check(4096, 4096, 4096, (4096, false));
    }

    #[test]
    fn one_byte_over_the_limit_is_cut() {
        check(11, 0, 10, (10, true));
        check(11, 4096, 10, (10, true));
        check(1, 0, 0, (0, true));
    }

    #[test]
    fn a_file_larger_than_the_buffer_takes_more_reads() {
        check(100_000, 16, 1 << 20, (100_000, false));
    }

    #[test]
    fn the_largest_limit_does_not_overflow() {
        check(5000, 0, usize::MAX, (5000, false));
    }
}
