//! A file that is appended to, and followed by its path: whoever renames or removes it gets a new one.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::OpenOptionsExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, FlockOperation, OFlags, fchmod, flock, fstat, stat},
    io::Errno,
};

use super::{
    descriptor::Descriptor,
    mode::Mode,
    sink::{OpenError, Sink},
    tail,
};

/// Bits of `st_mode` that chmod(2) sets.
const PERMISSIONS: u32 = 0o7777;

/// The sink.
#[derive(Debug)]
pub(super) struct FileSink {
    path: PathBuf,
    mode: Mode,
    descriptor: Descriptor,
    /// Device and inode of the open file.
    identity: Identity,
}

type Identity = (u64, u64);

impl FileSink {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path, mode: Mode) -> Result<Self, OpenError> {
        let (descriptor, identity) = open(path, mode, None)?;
        Ok(Self { path: path.to_owned(), mode, descriptor, identity })
    }

    /// Whether it is a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        rustix::termios::isatty(&self.descriptor)
    }
}

impl Sink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.descriptor.write(bytes)
    }

    fn pollable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.descriptor.as_fd())
    }

    fn is_replaced(&self) -> bool {
        match stat(&self.path) {
            Ok(found) => (found.st_dev, found.st_ino) != self.identity,
            Err(errno) => errno == Errno::NOENT,
        }
    }

    fn reopen(&mut self) -> Result<bool, OpenError> {
        (self.descriptor, self.identity) = open(&self.path, self.mode, Some(self.identity))?;
        Ok(true)
    }

    fn remove_partial_line(&mut self, len: u64) {
        tail::remove(self.descriptor.file(), len);
    }
}

/// `ours` is the file that this output has open already.
fn open(path: &Path, mode: Mode, ours: Option<Identity>) -> Result<(Descriptor, Identity), OpenError> {
    // With O_NONBLOCK a FIFO without a reader is refused; without it, open(2) would wait for one.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(mode.bits())
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path);
    let file = opened.map_err(|source| match source.raw_os_error() {
        Some(code) if code == Errno::NXIO.raw_os_error() => OpenError::NoReader { path: path.to_owned() },
        _ => OpenError::Open { path: path.to_owned(), source },
    })?;
    let failed = |source: io::Error| OpenError::Open { path: path.to_owned(), source };
    let found = fstat(&file).map_err(|errno| failed(errno.into()))?;
    let identity = (found.st_dev, found.st_ino);
    if FileType::from_raw_mode(found.st_mode).is_file() {
        set_mode(path, &file, found.st_mode & PERMISSIONS, mode)?;
        if ours != Some(identity) {
            warn_of_another_writer(path, &file);
        }
    }
    Ok((Descriptor::non_blocking(file), identity))
}

fn set_mode(path: &Path, file: &File, found: u32, wanted: Mode) -> Result<(), OpenError> {
    if found == wanted.bits() {
        return Ok(());
    }
    fchmod(file, wanted.bits().into()).map_err(|errno| OpenError::Mode {
        path: path.to_owned(),
        found,
        wanted,
        source: errno.into(),
    })?;
    if found & !wanted.bits() != 0 {
        tracing::warn!("{} had mode {found:04o}; it has {wanted} now", path.display());
    }
    Ok(())
}

/// Two writers of one file do not break its lines, but its order. The lock goes with the descriptor.
fn warn_of_another_writer(path: &Path, file: &File) {
    if flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        tracing::warn!("another process writes to {} as well: their events will be mixed", path.display());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use rustix::fs::{CWD, FileType, Mode as Bits, mknodat};
    use tempfile::tempdir;

    use super::{FileSink, Mode, OpenError, Sink};

    #[test]
    fn a_renamed_file_is_left_and_its_path_gets_a_new_one() {
        let directory = tempdir().unwrap();
        let (path, old) = (directory.path().join("x"), directory.path().join("x.1"));
        let mut sink = FileSink::open(&path, Mode::default()).unwrap();
        sink.write(b"1\n").unwrap();
        assert!(!sink.is_replaced());
        fs::rename(&path, &old).unwrap();
        assert!(sink.is_replaced());
        sink.reopen().unwrap();
        sink.write(b"2\n").unwrap();
        assert_eq!(fs::read_to_string(old).unwrap(), "1\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
        fs::write(directory.path().join("y"), "").unwrap();
        fs::rename(directory.path().join("y"), path).unwrap();
        assert!(sink.is_replaced(), "another file has the path now");
    }

    #[test]
    fn a_file_that_ends_in_half_a_line_gets_a_newline_first() {
        let directory = tempdir().unwrap();
        let path = directory.path().join("x");
        for (before, after) in [("", "{}\n"), ("{\"a", "{\"a\n{}\n"), ("{}\n", "{}\n{}\n")] {
            fs::write(&path, before).unwrap();
            FileSink::open(&path, Mode::default()).unwrap().write(b"{}\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[test]
    fn a_file_is_for_its_owner_alone_unless_another_mode_is_configured() {
        let directory = tempdir().unwrap();
        let path = directory.path().join("x");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        FileSink::open(&path, Mode::default()).unwrap();
        assert_eq!(mode(), 0o600);
        FileSink::open(&path, "0640".parse().unwrap()).unwrap();
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn a_fifo_without_a_reader_is_refused_at_once() {
        let directory = tempdir().unwrap();
        let path = directory.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Bits::from_raw_mode(0o600), 0).unwrap();
        let error = FileSink::open(&path, Mode::default()).unwrap_err();
        assert!(matches!(error, OpenError::NoReader { .. }), "{error}");
        let _reader = fs::File::options().read(true).write(true).open(&path).unwrap();
        assert!(FileSink::open(&path, Mode::default()).is_ok());
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_named() {
        let directory = tempdir().unwrap();
        symlink("loop", directory.path().join("loop")).unwrap();
        let error = FileSink::open(&directory.path().join("loop"), Mode::default()).unwrap_err();
        assert!(error.to_string().ends_with("/loop"), "{error}");
    }
}
