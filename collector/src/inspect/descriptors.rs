//! The open descriptors and what each refers to.

use std::borrow::Cow;

use rustix::fs::{FileType, Statx};

use super::{
    file::lossy,
    missing::or_missing,
    model::{Descriptor, Inspection, Kind, Socket},
};
use crate::{
    event::Timestamp,
    procfs::{self, ProcessDir, link::without_deleted},
};

/// `O_*` of open(2) beside the access mode, by name.
const FLAGS: [(i32, &str); 13] = [
    (libc::O_APPEND, "O_APPEND"),
    (libc::O_ASYNC, "O_ASYNC"),
    (libc::O_CLOEXEC, "O_CLOEXEC"),
    (libc::O_CREAT, "O_CREAT"),
    (libc::O_DIRECT, "O_DIRECT"),
    (libc::O_DIRECTORY, "O_DIRECTORY"),
    (libc::O_EXCL, "O_EXCL"),
    (libc::O_NOATIME, "O_NOATIME"),
    (libc::O_NOCTTY, "O_NOCTTY"),
    (libc::O_NOFOLLOW, "O_NOFOLLOW"),
    (libc::O_NONBLOCK, "O_NONBLOCK"),
    (libc::O_PATH, "O_PATH"),
    (libc::O_TRUNC, "O_TRUNC"),
];
/// `O_LARGEFILE` of the kernel, which the C library of a 64-bit machine calls 0: every descriptor has it there.
const LARGEFILE: u32 = 0o100_000;

/// Adds the descriptors. Details of sockets come later, from the kernel's lists of sockets.
pub(super) fn add(inspection: &mut Inspection, process: &ProcessDir) {
    let read = process.descriptors();
    let descriptors = or_missing(inspection, "descriptors", read);
    inspection.descriptors =
        descriptors.map(|descriptors| descriptors.iter().map(|found| describe(process, found)).collect());
}

fn describe(process: &ProcessDir, found: &procfs::descriptor::Descriptor) -> Descriptor {
    let file = found.file.as_ref();
    let target = without_deleted(&found.target, file.is_none_or(|file| file.stx_nlink > 0));
    let kind = kind(&found.target, file);
    // An object without a file system has no links either, but was not deleted.
    let named =
        matches!(kind, Kind::File | Kind::Directory | Kind::Fifo | Kind::CharDevice | Kind::BlockDevice);
    let is_file = matches!(kind, Kind::File | Kind::Directory);
    let is_device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
    let socket = (kind == Kind::Socket)
        .then(|| Socket { protocol: process.socket_protocol(found.number), ..Socket::default() });
    Descriptor {
        fd: found.number,
        kind,
        target: lossy(if named { target.path } else { &found.target }),
        deleted: named && target.deleted,
        access: found.fdinfo.map(|fdinfo| access(fdinfo.flags)),
        flags: found.fdinfo.map(|fdinfo| flags(fdinfo.flags)),
        position: found.fdinfo.map(|fdinfo| fdinfo.pos),
        size_bytes: file.filter(|_| is_file).map(|file| file.stx_size),
        modified: file.filter(|_| named).map(modified),
        device: file
            .filter(|_| is_device)
            .map(|file| format!("{}:{}", file.stx_rdev_major, file.stx_rdev_minor)),
        inode: file.map(|file| file.stx_ino),
        socket,
    }
}

fn kind(target: &[u8], file: Option<&Statx>) -> Kind {
    // No path looks like this: paths are absolute.
    if target.starts_with(b"socket:[") {
        return Kind::Socket;
    }
    if target.starts_with(b"pipe:[") {
        return Kind::Pipe;
    }
    if target.starts_with(b"anon_inode:") {
        return Kind::AnonInode;
    }
    match file.map(|file| FileType::from_raw_mode(file.stx_mode.into())) {
        Some(FileType::RegularFile) => Kind::File,
        Some(FileType::Directory) => Kind::Directory,
        Some(FileType::CharacterDevice) => Kind::CharDevice,
        Some(FileType::BlockDevice) => Kind::BlockDevice,
        Some(FileType::Fifo) => Kind::Fifo,
        Some(FileType::Socket) => Kind::Socket,
        Some(FileType::Symlink) => Kind::Symlink,
        Some(FileType::Unknown) | None => Kind::Unknown,
    }
}

fn access(flags: u32) -> &'static str {
    let flags = flags.cast_signed();
    if flags & libc::O_PATH != 0 {
        return "path";
    }
    match flags & libc::O_ACCMODE & 3 {
        libc::O_RDONLY => "read",
        libc::O_WRONLY => "write",
        _ => "read-write",
    }
}

/// Names of the flags; the rest in octal.
fn flags(flags: u32) -> Vec<Cow<'static, str>> {
    let mut rest = flags & !LARGEFILE & !3;
    let mut names: Vec<Cow<'static, str>> = Vec::new();
    // O_SYNC holds the bit of O_DSYNC, and O_TMPFILE that of O_DIRECTORY.
    let wider = [(libc::O_SYNC, "O_SYNC"), (libc::O_DSYNC, "O_DSYNC"), (libc::O_TMPFILE, "O_TMPFILE")];
    for (flag, name) in wider.into_iter().chain(FLAGS) {
        let flag = flag.cast_unsigned();
        if flag != 0 && rest & flag == flag {
            rest &= !flag;
            names.push(name.into());
        }
    }
    if rest != 0 {
        names.push(format!("0{rest:o}").into());
    }
    names
}

fn modified(file: &Statx) -> Timestamp {
    let time = file.stx_mtime;
    Timestamp(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.into()))
}

#[cfg(test)]
mod tests {
    use super::{access, flags};

    #[test]
    fn flags_have_the_names_of_open_2() {
        let both = (libc::O_RDWR | libc::O_APPEND | libc::O_CLOEXEC).cast_unsigned();
        assert_eq!(flags(both | super::LARGEFILE), ["O_APPEND", "O_CLOEXEC"]);
        assert_eq!(access(both), "read-write");
        assert_eq!(flags(libc::O_SYNC.cast_unsigned()), ["O_SYNC"]);
        assert_eq!(access(libc::O_PATH.cast_unsigned()), "path");
    }

    #[test]
    fn a_flag_without_a_name_is_shown_in_octal() {
        assert_eq!(flags(1 << 30), ["010000000000"]);
    }
}
