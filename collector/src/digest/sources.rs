//! Where the bytes of an image are looked for, in this order: what `/proc/<pid>/exe` opens, the same file by its path, the
//! image as it is mapped. Each answers for itself whether it is the image; another file is no answer.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use rustix::fs::Statx;

use super::{
    Digest, Found, memory,
    pool::Job,
    proof::{self, Witness, device},
    roots::Namespaces,
};
use crate::{
    enrich::image,
    event::{HashSource, Hashes},
    known::Reason,
    procfs::{Proc, ProcFile, ProcessDir, mountinfo::device_of_mount},
};

/// Most bytes of mountinfo that are read.
const MOUNTINFO_MAX: usize = 8 << 20;

/// The digests of the image of a job, or why there are none.
pub(super) fn read(
    job: &Job,
    proc: &Proc,
    namespaces: &mut Namespaces,
    closed_to_writers: bool,
) -> Result<Found, Reason> {
    let process = proc.process(job.candidate.tgid, Some(job.candidate.start)).map_err(image::reason);
    let running = process.as_ref().map_err(|&reason| reason);
    let missing = match running.and_then(|process| by_exe(job, process, closed_to_writers)) {
        Ok(found) => return Ok(found),
        Err(reason) => reason,
    };
    if let Some(found) = by_path(job, proc, namespaces) {
        return Ok(found);
    }
    match (process, missing) {
        (Ok(process), Reason::Denied | Reason::Io(_)) => {
            let hashes = memory::dump(&process, &job.sighting, job.limits.algorithms);
            hashes.map(|hashes| job.found(hashes, HashSource::Memory, true)).ok_or(missing)
        }
        _ => Err(missing),
    }
}

fn by_exe(job: &Job, process: &ProcessDir, closed_to_writers: bool) -> Result<Found, Reason> {
    let file = process.open_exe().map_err(image::reason)?;
    let runs = |found: &Statx| {
        closed_to_writers
            && process.image().is_ok_and(|image| {
                let number =
                    (rustix::fs::major(image.stat.st_dev) << 20) | rustix::fs::minor(image.stat.st_dev);
                (number, image.stat.st_ino) == (device(found), found.stx_ino)
            })
    };
    let witness = Witness { device_of_mount: &|mount| mounted_device(process, mount), still_runs: &runs };
    let answer = proof::digest(&file, &job.sighting, job.limits, &witness);
    let (hashes, by_running) = answer.map_err(|error| error.reason())?;
    Ok(job.found(hashes, HashSource::Exe, by_running))
}

/// A file without a name, or one whose change time moved since, is not looked for: nothing would prove it.
fn by_path(job: &Job, proc: &Proc, namespaces: &mut Namespaces) -> Option<Found> {
    let path = job.candidate.path.as_ref().filter(|_| job.sighting.file.links > 0)?;
    let path = Path::new(OsStr::from_bytes(path.bytes()));
    if job.sighting.is_fresh() {
        return None;
    }
    namespaces.roots(&job.candidate, job.sighting.at_ns, proc).find_map(|process| {
        let file = process.open_below_root(path).ok().flatten()?;
        let witness =
            Witness { device_of_mount: &|mount| mounted_device(&process, mount), still_runs: &|_| false };
        let (hashes, _) = proof::digest(&file, &job.sighting, job.limits, &witness).ok()?;
        Some(job.found(hashes, HashSource::Path, false))
    })
}

impl Job {
    /// What was found, and whether the job's own process proves it.
    fn found(&self, hashes: Hashes, source: HashSource, by_running: bool) -> Found {
        Found {
            digest: Digest { hashes: hashes.into(), source },
            from_ns: by_running.then_some(self.sighting.at_ns),
        }
    }
}

/// The device of a file system by the id of its mount, in the mount namespace of a process.
fn mounted_device(process: &ProcessDir, mount: u64) -> Option<u32> {
    let mut mountinfo = Vec::new();
    process.read_into(ProcFile::Mountinfo, &mut mountinfo, MOUNTINFO_MAX).ok()?;
    device_of_mount(&mountinfo, mount)
}
