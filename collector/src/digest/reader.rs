//! Where the bytes of an image are looked for, in this order: what `/proc/<pid>/exe` opens, the same file by its path, the
//! image as it is mapped. Each source checks by itself that it is the image; another file is no answer.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use rustix::fs::Statx;

use super::{
    job::{Job, ProvedDigest},
    memory,
    proof::{self, Evidence, device},
    roots::NamespaceRoots,
    text_busy::TextBusy,
};
use crate::{
    event::HashSource,
    fact::Reason,
    procfs::{Proc, ProcFile, ProcessDir, mountinfo::device_of_mount},
};

/// Most bytes of mountinfo that are read.
const MOUNTINFO_MAX: usize = 8 << 20;

/// Reads images, and remembers what it learns of mount namespaces.
pub(super) struct ImageReader<'p> {
    proc: &'p Proc,
    text_busy: TextBusy,
    roots: NamespaceRoots,
}

impl<'p> ImageReader<'p> {
    /// A reader that has read nothing.
    pub(super) fn new(proc: &'p Proc, text_busy: TextBusy) -> Self {
        Self { proc, text_busy, roots: NamespaceRoots::default() }
    }

    /// The digests of a job's image, or why there are none.
    pub(super) fn read(&mut self, job: &Job) -> Result<ProvedDigest, Reason> {
        let process = self.proc.process(job.locator.tgid, Some(job.locator.start)).map_err(Reason::from);
        let running = process.as_ref().map_err(|&reason| reason);
        let missing = match running.and_then(|process| self.by_exe(job, process)) {
            Ok(digest) => return Ok(digest),
            Err(reason) => reason,
        };
        if let Some(digest) = self.by_path(job) {
            return Ok(digest);
        }
        match (process, missing) {
            (Ok(process), Reason::Denied | Reason::Io(_)) => {
                let hashes = memory::dump(&process, &job.file, job.limits.algorithms);
                hashes.map(|hashes| job.proved(hashes, HashSource::Memory, true)).ok_or(missing)
            }
            _ => Err(missing),
        }
    }

    fn by_exe(&self, job: &Job, process: &ProcessDir) -> Result<ProvedDigest, Reason> {
        let file = process.open_exe()?;
        let runs = |found: &Statx| {
            self.text_busy.0
                && process.image().is_ok_and(|image| {
                    let number =
                        (rustix::fs::major(image.stat.st_dev) << 20) | rustix::fs::minor(image.stat.st_dev);
                    (number, image.stat.st_ino) == (device(found), found.stx_ino)
                })
        };
        let evidence =
            Evidence { device_of_mount: &|mount| mounted_device(process, mount), still_runs: &runs };
        let answer = proof::digest(&file, &job.file, job.limits, &evidence);
        let (hashes, by_running) = answer.map_err(|error| error.reason())?;
        Ok(job.proved(hashes, HashSource::Exe, by_running))
    }

    /// Does not look for a file without a name, or for one whose change time moved since: nothing would prove it.
    fn by_path(&mut self, job: &Job) -> Option<ProvedDigest> {
        let path = job.locator.path.as_ref().filter(|_| job.file.file.links > 0)?;
        let path = Path::new(OsStr::from_bytes(path.bytes()));
        if job.file.is_fresh() {
            return None;
        }
        self.roots.roots(&job.locator, job.file.at_ns, self.proc).find_map(|process| {
            let file = process.open_below_root(path).ok().flatten()?;
            let evidence = Evidence {
                device_of_mount: &|mount| mounted_device(&process, mount),
                still_runs: &|_| false,
            };
            let (hashes, _) = proof::digest(&file, &job.file, job.limits, &evidence).ok()?;
            Some(job.proved(hashes, HashSource::Path, false))
        })
    }
}

/// The device of a file system by the id of its mount, in the mount namespace of a process.
fn mounted_device(process: &ProcessDir, mount: u64) -> Option<u32> {
    let mut mountinfo = Vec::new();
    process.read_into(ProcFile::Mountinfo, &mut mountinfo, MOUNTINFO_MAX).ok()?;
    device_of_mount(&mountinfo, mount)
}
