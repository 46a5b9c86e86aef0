//! All digests of one file in one pass, and the proof that it was that file.

use std::{
    fs::File,
    io::{self, Read as _},
};

use collector_common::FileIdentity;
use md5::{Digest as _, Md5};
use rustix::fs::{FileType, fstat};
use sha1::Sha1;
use sha2::Sha256;

use super::{Algorithms, Options};
use crate::{event::Hashes, known::Reason};

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// Why a file gave no digest.
#[derive(Debug)]
pub(super) enum HashError {
    /// Not the file that it should be, or it changed while it was read.
    Other,
    /// Larger than is read.
    TooLarge,
    /// Reading failed.
    Io(io::Error),
}

impl HashError {
    /// As it is told.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Other => Reason::Exited,
            Self::TooLarge => Reason::TooLarge,
            Self::Io(error) => {
                let errno = error.raw_os_error().and_then(|errno| u32::try_from(errno).ok());
                Reason::Io(errno.and_then(crate::errno::errno_name).unwrap_or("EIO"))
            }
        }
    }
}

impl From<io::Error> for HashError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The digests of `file`, which must be the file that `expected` says.
///
/// Where its change time is another, or moves while it is read, the bytes may still be those that ran: to remove or link
/// a running image's file moves the time too. Then it must not have been written to since the exec, and `still_runs`,
/// asked after the last byte was read, must hold: most kernels let nobody write to a file that a process runs.
pub(super) fn digest(
    mut file: File,
    expected: &FileIdentity,
    options: Options,
    still_runs: impl FnOnce() -> bool,
) -> Result<Hashes, HashError> {
    let before = Seen::of(&file, expected)?;
    let mut hashers = Hashers::new(options.algorithms);
    let mut chunk = vec![0; CHUNK];
    let mut total = 0u64;
    loop {
        let len = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        total = total.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if total > options.max_size {
            return Err(HashError::TooLarge);
        }
        hashers.update(chunk.get(..len).unwrap_or_default());
    }
    let after = Seen::of(&file, expected)?;
    let untouched = before.changed == (expected.ctime_s, expected.ctime_ns) && before == after;
    let unwritten =
        before.modified == after.modified && before.modified <= (expected.ctime_s, expected.ctime_ns);
    let proved = untouched || (unwritten && still_runs());
    if proved && total == expected.size { Ok(hashers.finish()) } else { Err(HashError::Other) }
}

/// Whether an open file is the one that is expected, and was not touched since.
pub(super) fn is_untouched(file: &File, expected: &FileIdentity) -> bool {
    Seen::of(file, expected).is_ok_and(|seen| seen.changed == (expected.ctime_s, expected.ctime_ns))
}

/// What is seen of a file at one moment.
#[derive(PartialEq, Eq)]
struct Seen {
    changed: (i64, u32),
    modified: (i64, u32),
}

impl Seen {
    /// Of a regular file with the inode number and the size that are expected. The device is left out: on btrfs and
    /// overlayfs stat(2) shows another than the kernel side has.
    fn of(file: &File, expected: &FileIdentity) -> Result<Self, HashError> {
        let stat = fstat(file).map_err(io::Error::from)?;
        let same = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_ino == expected.inode
            && u64::try_from(stat.st_size).ok() == Some(expected.size);
        let nanoseconds = |part| u32::try_from(part).unwrap_or(0);
        same.then_some(Self {
            changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
            modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
        })
        .ok_or(HashError::Other)
    }
}

/// The algorithms that were asked for, fed with the same bytes.
struct Hashers {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl Hashers {
    fn new(algorithms: Algorithms) -> Self {
        Self {
            md5: algorithms.md5.then(Md5::new),
            sha1: algorithms.sha1.then(Sha1::new),
            sha256: algorithms.sha256.then(Sha256::new),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.sha1.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.sha256.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    fn finish(self) -> Hashes {
        Hashes {
            md5: self.md5.map(|hasher| hex(&hasher.finalize())),
            sha1: self.sha1.map(|hasher| hex(&hasher.finalize())),
            sha256: self.sha256.map(|hasher| hex(&hasher.finalize())),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::with_capacity(digest.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        fs::File,
        os::unix::fs::MetadataExt,
        path::Path,
        time::{Duration, SystemTime},
    };

    use collector_common::FileIdentity;

    use super::{HashError, Options, digest};
    use crate::enrich::digest::Algorithms;

    fn identity(path: &Path) -> FileIdentity {
        let stat = fs::metadata(path).unwrap();
        FileIdentity {
            inode: stat.ino(),
            size: stat.size(),
            ctime_s: stat.ctime(),
            ctime_ns: stat.ctime_nsec().try_into().unwrap(),
            ..FileIdentity::default()
        }
    }

    #[test]
    fn the_digests_are_those_of_rfc_1321_and_fips_180() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let hashes =
            digest(File::open(&path).unwrap(), &identity(&path), Options::default(), || false).unwrap();
        assert_eq!(hashes.md5.as_deref(), Some("900150983cd24fb0d6963f7d28e17f72"));
        assert_eq!(hashes.sha1.as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(
            hashes.sha256.as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
    }

    #[test]
    fn another_file_gives_no_digest() {
        let directory = tempfile::tempdir().unwrap();
        let [image, other] = ["image", "other"].map(|name| directory.path().join(name));
        fs::write(&image, "abc").unwrap();
        fs::write(&other, "abd").unwrap();
        let answer = digest(File::open(&other).unwrap(), &identity(&image), Options::default(), || true);
        assert!(matches!(answer, Err(HashError::Other)));
    }

    #[test]
    fn a_file_whose_change_time_moved_counts_only_while_it_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        fs::write(&path, "abc").unwrap();
        let an_hour_ago = SystemTime::now() - Duration::from_hours(1);
        File::options().write(true).open(&path).unwrap().set_modified(an_hour_ago).unwrap();
        let expected = FileIdentity { ctime_s: identity(&path).ctime_s - 1, ..identity(&path) };
        let read = |runs| digest(File::open(&path).unwrap(), &expected, Options::default(), || runs);
        assert!(read(true).is_ok());
        assert!(matches!(read(false), Err(HashError::Other)));
    }

    #[test]
    fn a_file_that_was_written_to_since_its_exec_gives_no_digest_though_it_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        fs::write(&path, "abc").unwrap();
        let expected = FileIdentity { ctime_s: identity(&path).ctime_s - 60, ..identity(&path) };
        let answer = digest(File::open(&path).unwrap(), &expected, Options::default(), || true);
        assert!(matches!(answer, Err(HashError::Other)));
    }

    #[test]
    fn a_digest_that_was_not_asked_for_is_absent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let algorithms = Algorithms { md5: false, sha1: false, sha256: true };
        let options = Options { algorithms, ..Options::default() };
        let hashes = digest(File::open(&path).unwrap(), &identity(&path), options, || false).unwrap();
        assert_eq!((hashes.md5, hashes.sha1, hashes.sha256.is_some()), (None, None, true));
    }
}
