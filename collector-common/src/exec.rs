//! Body of [`Kind::Exec`](crate::Kind::Exec): fixed facts, then five pieces of bytes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{record::RecordHeader, task::TaskIdentity};

/// The identity of a file, as its inode has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileIdentity {
    /// `i_ino`.
    pub inode: u64,
    /// `i_size` in bytes.
    pub size: u64,
    /// Change time: whole seconds since 1970.
    pub ctime_s: i64,
    /// Change time: nanoseconds of the second.
    pub ctime_ns: u32,
    /// `i_sb->s_dev` as the kernel holds it: major << 20 | minor. Not what stat(2) shows on btrfs and overlayfs.
    pub device: u32,
    /// `i_mode`: type and permissions.
    pub mode: u16,
    /// Further facts: [`FileIdentity::FOREIGN`], [`FileIdentity::CTIME_QUERIED`], [`FileIdentity::REMOTE`].
    pub flags: u16,
    /// Owner in the initial user namespace.
    pub uid: u32,
    /// `i_generation`: differs between files that use one inode number in turn, which may also have the same size
    /// and, within a tick of the clock, the same change time. 0 if it is not known: stat(2) does not report it.
    pub generation: u32,
    /// `i_nlink`: 0 if the file was deleted or never had a name.
    pub links: u32,
}

const _: () = assert!(size_of::<FileIdentity>() == 48);

impl FileIdentity {
    /// In [`FileIdentity::flags`]: the file system is FUSE, or was mounted in another user namespace than the initial
    /// one. So an unprivileged user may serve it and choose its numbers and times, and equal numbers do not mean
    /// equal bytes.
    pub const FOREIGN: u16 = 1;
    /// In [`FileIdentity::flags`]: a process has queried the change time (`I_CTIME_QUERIED`, Linux 6.13). So the next
    /// change gets another one, even in the same tick of the clock.
    pub const CTIME_QUERIED: u16 = 2;
    /// In [`FileIdentity::flags`]: a process or another machine serves the file system, and may answer late or never.
    pub const REMOTE: u16 = 4;
}

/// How much of a run of bytes a record carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Piece {
    /// Bytes in the record.
    pub len: u32,
    /// Bytes there were: more than `len` if the run was cut or could not be read, or [`Piece::UNKNOWN`].
    pub full: u32,
}

impl Piece {
    /// `full` of a path whose walk did not reach the root.
    pub const UNKNOWN: u32 = u32::MAX;

    /// Whether the record carries all of it.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.len == self.full
    }
}

/// The fixed part. The bytes of `path`, `cwd`, `script`, `args` and `env` follow in this order, with nothing between.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExecRecord {
    /// The header.
    pub header: RecordHeader,
    /// The process, with its new image and credentials.
    pub task: TaskIdentity,
    /// The file of the image.
    pub exe: FileIdentity,
    /// Path of the image from the root of the mount namespace.
    pub path: Piece,
    /// Working directory, in the same way.
    pub cwd: Piece,
    /// The path that execve(2) was given, if an interpreter runs it; else empty.
    pub script: Piece,
    /// argv: strings that each end in NUL.
    pub args: Piece,
    /// The environment, in the same way.
    pub env: Piece,
}

const _: () = assert!(size_of::<ExecRecord>() == 272);
