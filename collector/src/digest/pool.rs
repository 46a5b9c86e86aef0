//! The threads that read files.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
};

use super::{
    Found, Limits,
    roots::Namespaces,
    sighting::{Key, Sighting},
    sources,
};
use crate::{
    known::Reason,
    linux::{ORDINARY, idle_io_priority, set_nice},
    procfs::{Proc, StartTicks},
    text::Text,
    wake_event::WakeEvent,
};

/// Threads for ordinary files: disks gain from two readers, and the machine's own work must not lose its CPUs.
const THREADS: usize = 2;
/// Files that may wait for a thread.
const QUEUE: usize = 8192;

/// Where the file of an image may be found.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// A process that runs it.
    pub tgid: u32,
    /// That process's start.
    pub start: StartTicks,
    /// Its parent, by id and start.
    pub parent: (u32, StartTicks),
    /// Its mount namespace, by inode number.
    pub mnt: u32,
    /// The file's path, from the root of that namespace.
    pub path: Option<Text>,
}

/// A file to read.
#[derive(Debug)]
pub(super) struct Job {
    /// What it is remembered by.
    pub key: Key,
    /// What it must be.
    pub sighting: Sighting,
    /// Where it may be.
    pub candidate: Candidate,
    /// What is wanted of it.
    pub limits: Limits,
}

/// A file, the process that was asked about, and the answer.
type Finished = (Key, u32, Result<Found, Reason>);

/// The threads. Dropping it lets them end after the file they are at.
pub(super) struct Pool {
    files: SyncSender<Job>,
    doubtful: SyncSender<Job>,
    finished: Receiver<Finished>,
}

/// What a thread works with.
#[derive(Clone)]
struct Bench {
    done: Sender<Finished>,
    proc: Arc<Proc>,
    waker: WakeEvent,
    closed_to_writers: bool,
}

impl Pool {
    /// Starts the threads. `waker` is rung for each file that is finished.
    #[must_use]
    pub(super) fn start(proc: &Arc<Proc>, waker: &WakeEvent) -> Self {
        let (done, finished) = mpsc::channel();
        let bench = Bench {
            done,
            proc: proc.clone(),
            waker: waker.clone(),
            closed_to_writers: closed_to_writers_here(),
        };
        let files = bench.clone().serve(THREADS);
        // A file system that somebody serves may answer late or never, and hold its reader: one that no other file waits for.
        let doubtful = bench.serve(1);
        Self { files, doubtful, finished }
    }

    /// Asks for a file; `false` where too many wait already.
    #[must_use]
    pub(super) fn submit(&self, job: Job) -> bool {
        let queue = if job.sighting.may_hang() { &self.doubtful } else { &self.files };
        queue.try_send(job).is_ok()
    }

    /// What has been finished since the last call.
    pub(super) fn finished(&self) -> impl Iterator<Item = Finished> + '_ {
        self.finished.try_iter()
    }
}

impl Bench {
    /// Starts threads that take jobs from one queue.
    fn serve(self, threads: usize) -> SyncSender<Job> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let (bench, queue) = (self.clone(), queue.clone());
            thread::spawn(move || bench.work(&queue));
        }
        jobs
    }

    fn work(&self, queue: &Mutex<Receiver<Job>>) {
        // It was started by the thread that reads the ring, which goes before others; this one takes what is to spare.
        if let Err(errno) = set_nice(ORDINARY) {
            tracing::debug!("digests have the nice value of the thread that wants them: {errno}");
        }
        if let Err(error) = idle_io_priority() {
            tracing::debug!("files are read at the ordinary priority: {error}");
        }
        let mut namespaces = Namespaces::default();
        // A thread waits with the lock held; the others wait for the lock. A poisoned one means that a thread panicked
        // while it waited, which it cannot.
        while let Ok(job) = queue.lock().map_err(drop).and_then(|queue| queue.recv().map_err(drop)) {
            let result = sources::read(&job, &self.proc, &mut namespaces, self.closed_to_writers);
            if self.done.send((job.key, job.candidate.tgid, result)).is_err() {
                return;
            }
            self.waker.wake();
        }
    }
}

/// Whether this kernel refuses to open a file for writing while it runs.
pub(super) fn closed_to_writers_here() -> bool {
    closed_to_writers(&release())
}

fn release() -> String {
    // Where it is not told, it is not one of the two.
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default()
}

/// Whether the kernel refuses to open a file for writing while it runs (`ETXTBSY`). All do but Linux 6.11 and some of 6.12:
/// commit 2a010c412853 let writers in, 3b832035387f closed the door again.
fn closed_to_writers(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']);
    let (major, minor) = (numbers.next(), numbers.next());
    if !(major == Some("6") && matches!(minor, Some("11" | "12"))) {
        return true;
    }
    // The agent runs, so its own file shows it. Where writing is refused for another reason, nothing is known.
    let own = std::fs::File::options().write(true).open("/proc/self/exe");
    own.is_err_and(|error| error.kind() == std::io::ErrorKind::ExecutableFileBusy)
}

#[cfg(test)]
mod tests {
    use super::closed_to_writers;

    #[test]
    fn a_file_that_runs_is_closed_to_writers_before_6_11_and_after_6_12() {
        assert!(closed_to_writers("5.10.0-41-amd64\n"));
        assert!(closed_to_writers("6.1.0\n"));
        assert!(closed_to_writers("6.18.44\n"));
        assert!(closed_to_writers("16.11.1\n"));
    }
}
