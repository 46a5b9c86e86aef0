//! A file system of one file, served by the test itself through FUSE. It is mounted for one user: without `allow_other`
//! the kernel lets no other user in, not even root.

use std::{
    ffi::{CString, OsStr},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEntry, Request, Session, SessionACL,
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// The file's name.
const NAME: &str = "image";
/// Its inode number.
const INODE: INodeNo = INodeNo(7);
/// Nothing is remembered by the kernel.
const AT_ONCE: Duration = Duration::ZERO;

/// The mounted file system.
#[derive(Debug)]
pub struct Served {
    directory: PathBuf,
    bytes: Arc<Mutex<Vec<u8>>>,
    _session: BackgroundSession,
}

/// Who may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// This user.
    ToUser(u32),
    /// Everybody.
    ToAll,
}

impl Served {
    /// Mounts it at a directory, with these bytes in the file.
    pub fn mount(directory: &Path, bytes: Vec<u8>, open: Open) -> Self {
        let device = std::fs::File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let device = OwnedFd::from(device);
        let (user, others) = match open {
            Open::ToUser(user) => (user, ""),
            Open::ToAll => (0, ",allow_other"),
        };
        let options =
            format!("fd={},rootmode=40000,user_id={user},group_id={user}{others}", device.as_raw_fd());
        let options = CString::new(options).unwrap();
        mount("collector-test", directory, "fuse", MountFlags::NODEV, Some(options.as_c_str())).unwrap();
        let bytes = Arc::new(Mutex::new(bytes));
        let file = OneFile { bytes: Arc::clone(&bytes) };
        // The kernel decides who may enter.
        let session = Session::from_fd(file, device, SessionACL::All, Config::default()).unwrap();
        Self { directory: directory.to_owned(), bytes, _session: session.spawn().unwrap() }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Puts other bytes into the file, with no change of anything else: size, times and number stay.
    pub fn replace(&self, bytes: Vec<u8>) {
        let mut served = self.bytes.lock().unwrap();
        assert_eq!(served.len(), bytes.len());
        *served = bytes;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        unmount(&self.directory, UnmountFlags::DETACH).unwrap();
    }
}

struct OneFile {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl OneFile {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        // Long ago, and with nanoseconds, as a file system has them that keeps them.
        let changed = UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
        let is_file = inode == INODE;
        FileAttr {
            ino: inode,
            size: if is_file { u64::try_from(self.bytes.lock().unwrap().len()).unwrap() } else { 0 },
            blocks: 1,
            atime: changed,
            mtime: changed,
            ctime: changed,
            crtime: changed,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for OneFile {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&AT_ONCE, &self.attributes(INODE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&AT_ONCE, &self.attributes(inode));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let bytes = self.bytes.lock().unwrap();
        let begin = usize::try_from(offset).unwrap().min(bytes.len());
        let end = begin.saturating_add(usize::try_from(size).unwrap()).min(bytes.len());
        reply.data(&bytes[begin..end]);
    }
}
