//! Files that are swapped under the agent: a name that has other bytes each time it is run.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use collector_tests::{
    digests::plan,
    wait::{PATIENCE, until},
    workload::{spawn::Child, tiny},
};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};

/// How new bytes get under the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    /// Another file is renamed over it.
    Rename,
    /// The same file is written to.
    Rewrite,
    /// The same file is written to, and its times are put back.
    RewriteAndHide,
    /// It is removed and made again, mostly with the same inode number.
    Remake,
    /// The same, with the times of the one before.
    RemakeAndHide,
}

impl Swap {
    pub(crate) const ALL: [Self; 5] =
        [Self::Rename, Self::Rewrite, Self::RewriteAndHide, Self::Remake, Self::RemakeAndHide];

    /// Puts `bytes` under the name.
    pub(crate) fn put(self, path: &Path, bytes: &[u8]) {
        let before = fs::metadata(path).and_then(|before| before.modified()).ok();
        match self {
            Self::Rename => {
                let other = path.with_extension("other");
                make(&other, bytes);
                fs::rename(other, path).unwrap();
            }
            Self::Rewrite | Self::RewriteAndHide => rewrite(path, bytes),
            Self::Remake | Self::RemakeAndHide => {
                let _ = fs::remove_file(path);
                make(path, bytes);
            }
        }
        if let Some(before) = before.filter(|_| matches!(self, Self::RewriteAndHide | Self::RemakeAndHide)) {
            set_modified(path, before);
        }
    }
}

/// What happens around one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) swap: Swap,
    /// Between the swap and the exec.
    pub(crate) settles: Duration,
    /// Whether the process is still there when the next swap comes.
    pub(crate) stays: bool,
}

/// An image: all have the same size, and no two the same bytes.
pub(crate) fn bytes(number: usize, stays: bool) -> Vec<u8> {
    let trailer = format!("{number:08}");
    let size = tiny::image(&trailer).len();
    let mut bytes = if stays { tiny::sleeper(&trailer) } else { tiny::image(&trailer) };
    bytes.resize(size, b' ');
    bytes
}

/// Runs what is there; it has been waited for when this returns, unless it stays.
pub(crate) fn run(path: &Path, number: usize, stays: bool) -> (u32, Option<Child>) {
    let child = plan(&[path.to_str().unwrap(), "0", &number.to_string()]).spawn();
    let pid = child.pid;
    if stays {
        return (pid, Some(child));
    }
    child.reap();
    (pid, None)
}

pub(crate) fn make(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// In place; a running file cannot be written to, so a process that has just been killed is waited for.
fn rewrite(path: &Path, bytes: &[u8]) {
    if !path.exists() {
        return make(path, bytes);
    }
    let file = until("a file that no process runs", || File::options().write(true).open(path).ok());
    file.write_all_at(bytes, 0).unwrap();
}

/// As soon as the file does not run any more. Its times are not read before, which would change what the kernel does with
/// them.
pub(crate) fn rewrite_at_once(path: &Path, bytes: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match File::options().write(true).open(path) {
            Ok(file) => return file.write_all_at(bytes, 0).unwrap(),
            Err(error) => assert!(Instant::now() < deadline, "{} stays busy: {error}", path.display()),
        }
    }
}

/// By its path, since a file that runs cannot be opened for writing.
fn set_modified(path: &Path, at: SystemTime) {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let last_modification =
        Timespec { tv_sec: since.as_secs().try_into().unwrap(), tv_nsec: since.subsec_nanos().into() };
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    utimensat(CWD, path, &Timestamps { last_access, last_modification }, AtFlags::empty()).unwrap();
}
