//! The /proc of a [`World`](super::world::World): it shows what is, which may be later than the records that are read.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::PathBuf,
};

use crate::common::fake_proc::{FakeProc, Shown, StatLine};

/// Nanoseconds of a clock tick.
pub(crate) const TICK_NS: u64 = 10_000_000;
/// Images that there are.
pub(crate) const IMAGES: usize = 4;

/// A fake /proc, and the images beside its processes.
#[derive(Debug)]
pub(crate) struct ShownProc {
    pub(crate) proc: FakeProc,
    images: Vec<PathBuf>,
}

impl ShownProc {
    /// With the images and no process.
    pub(crate) fn new() -> Self {
        let proc = FakeProc::new();
        let directory = proc.path().canonicalize().unwrap();
        let images: Vec<_> = (0..IMAGES).map(|number| directory.join(format!("image-{number}"))).collect();
        for image in &images {
            fs::write(image, "#!").unwrap();
        }
        Self { proc, images }
    }

    /// The path of an image.
    pub(crate) fn image(&self, image: usize) -> &str {
        self.images[image].to_str().unwrap()
    }

    /// The inode number of an image.
    pub(crate) fn inode(&self, image: usize) -> u64 {
        fs::metadata(&self.images[image]).unwrap().ino()
    }

    /// Shows a process that has begun.
    pub(crate) fn show(&self, pid: u32, start_ns: u64, parent: u32, image: usize) {
        let (comm, args) = (&pid.to_string(), &[self.image(image)]);
        self.proc.add(&Shown { pid, start_ns, ppid: parent, flags: 0, comm, args, env: &[], cwd: "/" });
        symlink(self.image(image), self.proc.of(pid).join("exe")).unwrap();
    }

    /// Shows another image of it.
    pub(crate) fn show_image(&self, pid: u32, image: usize) {
        let (directory, image) = (self.proc.of(pid), self.image(image));
        fs::write(directory.join("cmdline"), format!("{image}\0")).unwrap();
        fs::remove_file(directory.join("exe")).unwrap();
        symlink(image, directory.join("exe")).unwrap();
    }

    /// Shows its state, and a parent that may be another one.
    pub(crate) fn show_stat(&self, pid: u32, state: char, start_ns: u64, parent: u32) {
        let stat = StatLine { pid, comm: &pid.to_string(), state, ppid: parent, flags: 0, start_ns };
        fs::write(self.proc.of(pid).join("stat"), stat.to_string()).unwrap();
    }

    /// Shows of a process that has ended and was not waited for what little is left.
    pub(crate) fn bury(&self, pid: u32) {
        let directory = self.proc.of(pid);
        for gone in ["exe", "cwd", "environ"] {
            fs::remove_file(directory.join(gone)).unwrap();
        }
        fs::remove_dir_all(directory.join("ns")).unwrap();
        fs::write(directory.join("cmdline"), "").unwrap();
    }

    /// Shows nothing of it any more.
    pub(crate) fn forget(&self, pid: u32) {
        fs::remove_dir_all(self.proc.of(pid)).unwrap();
    }
}
