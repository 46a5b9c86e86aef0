//! The threads that read files.

use std::{
    ffi::OsStr,
    fs::File,
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use collector_common::FileIdentity;
use rustix::fs::{Mode, OFlags};

use super::{Digest, Key, Options, hash};
use crate::{
    enrich::image,
    event::{HashSource, Hashes},
    known::Reason,
    procfs::{Proc, StartTicks},
    wake::Waker,
};

/// Threads of the pool: disks gain from two readers, and the machine's own work must not lose its CPUs.
const THREADS: usize = 2;
/// Files that may wait for a thread.
const QUEUE: usize = 8192;

/// Where the file of an image may be found.
#[derive(Debug)]
pub struct Candidate {
    /// A process that runs it.
    pub tgid: u32,
    /// That process's start.
    pub start: StartTicks,
    /// Its path, where the agent sees the same mounts as the process.
    pub path: Option<Arc<[u8]>>,
}

/// A file to read.
#[derive(Debug)]
pub struct Job {
    /// What it is remembered by.
    pub key: Key,
    /// What it must be.
    pub file: FileIdentity,
    /// Where it may be.
    pub candidate: Candidate,
}

type Finished = (Key, Result<Digest, Reason>);

/// The threads. Dropping it lets them end after the file they are at.
pub struct Pool {
    jobs: SyncSender<Job>,
    finished: Receiver<Finished>,
}

impl Pool {
    /// Starts the threads. `waker` is rung for each file that is finished.
    #[must_use]
    pub fn start(options: Options, proc: &Arc<Proc>, waker: &Waker) -> Self {
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
        let (done, finished) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..THREADS {
            let (queue, done, proc, waker) = (queue.clone(), done.clone(), proc.clone(), waker.clone());
            thread::spawn(move || {
                // A thread waits with the lock held; the others wait for the lock. A poisoned one means that a thread
                // panicked while it waited, which it cannot.
                while let Ok(job) = queue.lock().map_err(drop).and_then(|queue| queue.recv().map_err(drop)) {
                    let result = read(&job, &proc, options);
                    if done.send((job.key, result)).is_err() {
                        return;
                    }
                    waker.wake();
                }
            });
        }
        Self { jobs, finished }
    }

    /// Asks for a file; `false` where too many wait already.
    #[must_use]
    pub fn submit(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// What has been finished since the last call.
    #[must_use]
    pub fn finished(&self) -> Vec<Finished> {
        self.finished.try_iter().collect()
    }
}

/// Reads the running image, or where its process is gone the same file by its path.
fn read(job: &Job, proc: &Proc, options: Options) -> Result<Digest, Reason> {
    let missing = match running(job, proc, options) {
        Ok(hashes) => return Ok(Digest { hashes, source: HashSource::Exe }),
        Err(reason) => reason,
    };
    let path = job.candidate.path.as_ref().ok_or(missing)?;
    let path = Path::new(OsStr::from_bytes(path));
    // Another file of that name is no answer: what is missing is the image.
    let file = open_if_same(path, &job.file).ok_or(missing)?;
    let hashes = hash::digest(file, &job.file, options, || false).map_err(|_| missing)?;
    Ok(Digest { hashes, source: HashSource::Path })
}

/// Looks what is at the path before it is opened: in the place of the image there may be a FIFO that never answers, or a
/// device that acts when it is opened.
fn open_if_same(path: &Path, expected: &FileIdentity) -> Option<File> {
    let found =
        rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let found = File::from(found);
    if !hash::is_untouched(&found, expected) {
        return None;
    }
    File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).ok()
}

fn running(job: &Job, proc: &Proc, options: Options) -> Result<Hashes, Reason> {
    let process = proc.process(job.candidate.tgid, Some(job.candidate.start)).map_err(image::reason)?;
    let file = process.open_exe().map_err(image::reason)?;
    let still_runs = || process.image().is_ok_and(|image| image.stat.st_ino == job.file.inode);
    hash::digest(file, &job.file, options, still_runs).map_err(|error| error.reason())
}
