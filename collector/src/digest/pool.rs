//! The threads that read files.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
};

use super::{
    job::{Job, ProvedDigest},
    observed_file::Key,
    reader::ImageReader,
    text_busy::TextBusy,
};
use crate::{
    fact::Reason,
    linux::{ORDINARY, idle_io_priority, set_nice},
    procfs::Proc,
    wake_event::WakeEvent,
};

/// Threads for ordinary files: disks gain from two readers, and the machine's own work must not lose its CPUs.
const THREADS: usize = 2;
/// Jobs that may wait for a thread.
const QUEUE: usize = 8192;

/// A job's key, the process through which it was read, and the result.
type Finished = (Key, u32, Result<ProvedDigest, Reason>);

/// The threads. After a drop they end when they have finished their current file.
pub(super) struct Pool {
    files: SyncSender<Job>,
    doubtful: SyncSender<Job>,
    finished: Receiver<Finished>,
}

/// What a thread works with.
#[derive(Clone)]
struct Worker {
    done: Sender<Finished>,
    waker: WakeEvent,
    proc: Arc<Proc>,
    text_busy: TextBusy,
}

impl Pool {
    /// Starts the threads. They ring `waker` for each finished job.
    #[must_use]
    pub(super) fn start(proc: &Arc<Proc>, waker: &WakeEvent) -> Self {
        let (done, finished) = mpsc::channel();
        let worker = Worker { done, waker: waker.clone(), proc: proc.clone(), text_busy: TextBusy::here() };
        let files = worker.clone().spawn(THREADS);
        // A file system that a user serves may answer late or never and hold its reader: that reader gets a queue of its own.
        let doubtful = worker.spawn(1);
        Self { files, doubtful, finished }
    }

    /// Queues a job. Returns `false` if the queue is full.
    #[must_use]
    pub(super) fn submit(&self, job: Job) -> bool {
        let queue = if job.file.may_hang() { &self.doubtful } else { &self.files };
        queue.try_send(job).is_ok()
    }

    /// Jobs that finished since the last call.
    pub(super) fn finished(&self) -> impl Iterator<Item = Finished> + '_ {
        self.finished.try_iter()
    }
}

impl Worker {
    /// Starts threads that take jobs from one queue.
    fn spawn(self, threads: usize) -> SyncSender<Job> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let (worker, queue) = (self.clone(), queue.clone());
            thread::spawn(move || worker.work(&queue));
        }
        jobs
    }

    fn work(&self, queue: &Mutex<Receiver<Job>>) {
        // The thread that reads the ring started this one, so it inherited a nice value that goes before other processes.
        if let Err(errno) = set_nice(ORDINARY) {
            tracing::debug!("digest workers keep the nice value of the ring's thread: {errno}");
        }
        if let Err(error) = idle_io_priority() {
            tracing::debug!("digest workers read files at the ordinary I/O priority: {error}");
        }
        let mut reader = ImageReader::new(&self.proc, self.text_busy);
        // One thread waits with the lock held; the others wait for the lock. A thread cannot panic while it waits, so the
        // lock is never poisoned.
        while let Ok(job) = queue.lock().map_err(drop).and_then(|queue| queue.recv().map_err(drop)) {
            let result = reader.read(&job);
            if self.done.send((job.key, job.locator.tgid, result)).is_err() {
                return;
            }
            self.waker.wake();
        }
    }
}
