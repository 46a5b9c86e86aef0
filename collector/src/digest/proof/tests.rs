//! What counts as a proof, on real files.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use collector_common::FileIdentity;

use super::{DigestLimits, Evidence, HashError, ObservedFile, digest};
use crate::event::Timestamp;

/// A file that says `abc`, changed long enough ago.
struct Image {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Image {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        fs::write(&path, "abc").unwrap();
        Self { _directory: directory, path }
    }

    fn identity(&self) -> FileIdentity {
        let stat = fs::metadata(&self.path).unwrap();
        FileIdentity {
            device: (libc::major(stat.dev()) << 20) | libc::minor(stat.dev()),
            inode: stat.ino(),
            size: stat.size(),
            ctime_s: stat.ctime(),
            ctime_ns: stat.ctime_nsec().try_into().unwrap(),
            ..FileIdentity::default()
        }
    }
}

/// A file that was observed some time after its change.
fn seen(file: FileIdentity) -> ObservedFile {
    ObservedFile::new(file, 1, Timestamp((file.ctime_s + 10) * 1_000_000_000))
}

/// A file that was observed at its change time.
fn seen_fresh(file: FileIdentity) -> ObservedFile {
    ObservedFile::new(file, 1, Timestamp(file.ctime_s * 1_000_000_000 + i64::from(file.ctime_ns)))
}

/// Whether the file at `path` has a digest for `observed`; `Ok(true)` if the running process proves it.
fn read(path: &Path, observed: &ObservedFile, runs: bool) -> Result<bool, HashError> {
    let evidence = Evidence { device_of_mount: &|_| None, still_runs: &|_| runs };
    digest(&File::open(path).unwrap(), observed, DigestLimits::default(), &evidence)
        .map(|(_, by_running)| by_running)
}

#[test]
fn the_change_time_proves_a_file_that_was_not_touched_since() {
    let image = Image::new();
    assert!(matches!(read(&image.path, &seen(image.identity()), false), Ok(false)));
}

#[test]
fn another_file_of_the_same_size_gives_no_digest() {
    let (image, other) = (Image::new(), Image::new());
    assert!(matches!(read(&other.path, &seen(image.identity()), true), Err(HashError::Other)));
}

#[test]
fn the_same_inode_number_on_another_device_gives_no_digest() {
    let image = Image::new();
    let elsewhere = FileIdentity { device: image.identity().device + 1, ..image.identity() };
    assert!(matches!(read(&image.path, &seen(elsewhere), true), Err(HashError::Other)));
}

#[test]
fn the_device_of_the_mount_counts_if_stat_shows_another() {
    let image = Image::new();
    let device = image.identity().device + 1;
    let observed = seen(FileIdentity { device, ..image.identity() });
    let evidence = Evidence { device_of_mount: &|_| Some(device), still_runs: &|_| false };
    assert!(digest(&File::open(&image.path).unwrap(), &observed, DigestLimits::default(), &evidence).is_ok());
}

#[test]
fn a_fresh_file_counts_only_while_it_runs() {
    let image = Image::new();
    let observed = seen_fresh(image.identity());
    assert!(matches!(read(&image.path, &observed, false), Err(HashError::Unproved)));
    assert!(matches!(read(&image.path, &observed, true), Ok(true)));
}

#[test]
fn a_file_that_was_removed_or_linked_since_counts_only_while_it_runs() {
    let image = Image::new();
    std::thread::sleep(Duration::from_millis(20));
    let before = image.identity();
    fs::hard_link(&image.path, image.path.with_extension("link")).unwrap();
    assert_ne!(before, image.identity());
    assert!(matches!(read(&image.path, &seen(before), true), Ok(true)));
    assert!(matches!(read(&image.path, &seen(before), false), Err(HashError::Unproved)));
}

#[test]
fn a_file_that_was_written_to_since_gives_no_digest_even_if_it_runs() {
    let image = Image::new();
    let before = image.identity();
    std::thread::sleep(Duration::from_millis(20));
    fs::write(&image.path, "abd").unwrap();
    assert!(matches!(read(&image.path, &seen(before), true), Err(HashError::Unproved)));
}

#[test]
fn a_younger_file_with_its_write_time_set_back_gives_no_digest() {
    // Like a file that got the inode number of the removed image.
    let image = Image::new();
    let before = FileIdentity { ctime_s: image.identity().ctime_s - 60, ..image.identity() };
    let long_ago = SystemTime::now() - Duration::from_hours(1);
    File::options().write(true).open(&image.path).unwrap().set_modified(long_ago).unwrap();
    assert!(matches!(read(&image.path, &seen(before), true), Err(HashError::Unproved)));
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let image = Image::new();
    let limits = DigestLimits { max_size: 2, ..DigestLimits::default() };
    let evidence = Evidence { device_of_mount: &|_| None, still_runs: &|_| true };
    let answer = digest(&File::open(&image.path).unwrap(), &seen(image.identity()), limits, &evidence);
    assert!(matches!(answer, Err(HashError::TooLarge)));
}
