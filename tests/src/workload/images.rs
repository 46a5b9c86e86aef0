//! Files to be run: copies of the subject and of the shell, in a directory that every user may enter.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::{
        fd::OwnedFd,
        unix::fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{MemfdFlags, Mode, OFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::truth::files;

/// A shell that reports that it runs, and ends with the code that it reads from its standard input. It understands the
/// subject's `exit N`.
pub const HOLD: &str = "echo ready; read verb code; exit \"$code\"";

/// What is in an image, and its digests.
#[derive(Debug)]
pub struct Contents {
    /// All of it.
    pub bytes: Vec<u8>,
    /// `process.hash`
    pub hashes: Value,
}

impl Contents {
    fn new(bytes: Vec<u8>) -> Arc<Self> {
        let hashes = files::hashes(&bytes);
        Arc::new(Self { bytes, hashes })
    }
}

/// A directory of images.
#[derive(Debug)]
pub struct Images {
    directory: TempDir,
    /// The subject.
    pub subject: Arc<Contents>,
    /// The shell, which is run under other names too.
    pub shell: Arc<Contents>,
}

impl Images {
    /// With a copy of the subject, as `subject`.
    pub fn new(subject: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("collector-test-").tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let contents = |path| Contents::new(fs::read(path).unwrap());
        let images = Self { directory, subject: contents(subject), shell: contents("/bin/sh") };
        fs::copy(subject, images.path("subject")).unwrap();
        fs::set_permissions(images.path("subject"), Permissions::from_mode(0o755)).unwrap();
        images
    }

    /// The directory, as the kernel names it.
    pub fn directory(&self) -> PathBuf {
        fs::canonicalize(self.directory.path()).unwrap()
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// A directory in it.
    pub fn subdirectory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A copy of the subject, made only once: a file that runs cannot be written to.
    pub fn copy(&self, name: &str, mode: u32) -> PathBuf {
        let copy = self.path(name);
        if copy.exists() {
            return copy;
        }
        fs::copy(self.path("subject"), &copy).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(mode)).unwrap();
        copy
    }

    /// A symbolic link to the subject.
    pub fn symlink(&self, name: &str) -> PathBuf {
        let link = self.path(name);
        symlink("subject", &link).unwrap();
        link
    }

    /// An executable script.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let script = self.path(name);
        write_executable(&script, text.as_bytes());
        script
    }

    /// The shell with `trailer` after it, which changes its digests and nothing else.
    pub fn shell_with(&self, trailer: &str) -> Arc<Contents> {
        Contents::new([&self.shell.bytes, trailer.as_bytes()].concat())
    }

    /// A file with these contents.
    pub fn file(&self, name: &str, contents: &Contents) -> PathBuf {
        let path = self.path(name);
        write_executable(&path, &contents.bytes);
        path
    }
}

/// An image in memory that has no file.
pub fn memfd(name: &str, contents: &Contents) -> Arc<OwnedFd> {
    let memfd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(memfd);
    file.write_all(&contents.bytes).unwrap();
    Arc::new(file.into())
}

/// An open file that can be run.
pub fn open(path: &Path) -> Arc<OwnedFd> {
    Arc::new(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap())
}

fn write_executable(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_permissions(Permissions::from_mode(0o755)).unwrap();
}
