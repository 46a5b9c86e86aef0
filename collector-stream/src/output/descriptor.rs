//! A descriptor that never makes its thread wait in write(2), except for a disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, OFlags, fstat},
    net::{SendFlags, send},
};

use super::tail;

/// How write(2) is kept from waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A file on a disk, which write(2) does not wait for longer than the disk takes.
    Disk,
    /// An open file description of our own with `O_NONBLOCK`. One that is shared with other processes is never changed.
    NonBlocking,
    /// A socket, with `MSG_DONTWAIT`.
    Socket,
    /// A descriptor that others share and that may block: written to only while poll(2) says so, and never more at once than
    /// a pipe takes whole.
    Shared,
}

/// What a pipe that poll(2) calls writable takes without waiting: `PIPE_BUF`.
const PIPE_BUF: usize = 4096;

/// A descriptor for writing.
#[derive(Debug)]
pub(super) struct Descriptor {
    file: File,
    way: Way,
    /// Whether the file ends in half a line, which a newline has to end before anything else is written.
    needs_newline: bool,
}

impl Descriptor {
    /// For a descriptor that may be shared with other processes, as standard output is.
    pub(super) fn shared(fd: OwnedFd) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        let file = File::from(fd);
        Ok(match kind {
            FileType::RegularFile | FileType::BlockDevice => Self::new(file, Way::Disk),
            FileType::Socket => Self::new(file, Way::Socket),
            _ => match reopened(&file) {
                Some(own) => Self::new(own, Way::NonBlocking),
                None => Self::new(file, Way::Shared),
            },
        })
    }

    fn new(file: File, way: Way) -> Self {
        let needs_newline = tail::is_half_a_line(&file);
        Self { file, way, needs_newline }
    }

    /// For a file that was opened with `O_NONBLOCK`.
    pub(super) fn non_blocking(file: File) -> Self {
        Self::new(file, Way::NonBlocking)
    }

    /// Writes as much as is possible without waiting.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.needs_newline {
            self.write_some(b"\n")?;
            self.needs_newline = false;
        }
        self.write_some(bytes)
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.way {
            Way::Disk | Way::NonBlocking => self.file.write(bytes)?,
            Way::Socket => send(&self.file, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?,
            Way::Shared if !self.is_writable()? => return Err(io::ErrorKind::WouldBlock.into()),
            Way::Shared => self.file.write(bytes.get(..PIPE_BUF).unwrap_or(bytes))?,
        };
        if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
    }

    fn is_writable(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
        Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Another open file description of the same pipe or terminal. `None` where /proc does not lead there.
fn reopened(file: &File) -> Option<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = i32::try_from(flags.bits()).ok()?;
    OpenOptions::new().write(true).custom_flags(flags).open(path).ok()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read as _},
        os::{fd::OwnedFd, unix::net::UnixStream},
    };

    use rustix::fs::{OFlags, fcntl_getfl};

    use super::{Descriptor, Way};

    /// Fills it, and answers how many bytes it took.
    fn fill(descriptor: &mut Descriptor) -> usize {
        let mut taken = 0;
        loop {
            match descriptor.write(&[b'x'; 10_000]) {
                Ok(written) => taken += written,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    return taken;
                }
            }
        }
    }

    #[test]
    fn a_full_pipe_does_not_block_and_its_other_owners_notice_nothing() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let ours = writer.try_clone().unwrap();
        let mut descriptor = Descriptor::shared(OwnedFd::from(ours)).unwrap();
        assert_eq!(descriptor.way, Way::NonBlocking);
        let taken = fill(&mut descriptor);
        assert!(taken > 0);
        assert!(!fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
        reader.read_exact(&mut vec![0; taken]).unwrap();
        assert_eq!(fill(&mut descriptor), taken);
    }

    #[test]
    fn a_shared_pipe_that_cannot_be_reopened_does_not_block_either() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut descriptor = Descriptor::new(OwnedFd::from(writer).into(), Way::Shared);
        assert!(fill(&mut descriptor) > 0);
        drop(reader);
        assert_eq!(descriptor.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_socket_does_not_block() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let mut descriptor = Descriptor::shared(OwnedFd::from(writer)).unwrap();
        assert_eq!(descriptor.way, Way::Socket);
        assert!(fill(&mut descriptor) > 0);
        drop(reader);
        assert_eq!(descriptor.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
