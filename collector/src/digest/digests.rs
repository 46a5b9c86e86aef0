//! The cache of digests and the computations that run.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::unsync::Cache;

use super::{
    job::{Digest, Job, ProvedDigest},
    limits::{DigestLimits, DigestOptions},
    locator::Request,
    observed_file::Key,
    pending::{Answer, Computation, Outcome, PendingDigest, State},
    pool::Pool,
    reader::ImageReader,
    text_busy::TextBusy,
};
use crate::{fact::Reason, procfs::Proc, wake_event::WakeEvent};

/// After this time a failed file is tried again: it may have become readable.
const RETRY: Duration = Duration::from_secs(2);
/// The longest wait for a file: a file system that a user serves may never answer.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Computes the digests of one image on the calling thread, which must not be the thread of the events.
pub fn compute(request: Request, limits: DigestLimits, proc: &Proc) -> Result<Digest, Reason> {
    let Request { file, locator, .. } = request;
    if file.file.size > limits.max_size {
        return Err(Reason::TooLarge);
    }
    let job = Job { key: file.key(limits.algorithms), file, locator, limits };
    ImageReader::new(proc, TextBusy::here()).read(&job).map(|proved| proved.digest)
}

/// Digests that are cached or that a worker computes. One thread owns it.
pub struct Digests {
    pub(super) limits: DigestLimits,
    now: Instant,
    proc: Arc<Proc>,
    waker: WakeEvent,
    /// Starts with the first digest that is requested.
    pub(super) pool: Option<Pool>,
    cache: Cache<Key, Cached>,
    running: HashMap<Key, Rc<Computation>>,
    /// The running computations, oldest first.
    begun: VecDeque<(Instant, Key, u64)>,
    /// Computations so far: the number of the last.
    count: u64,
}

#[derive(Clone, Debug)]
struct Cached {
    outcome: Outcome,
    /// When a failure may be tried again.
    retry_at: Option<Instant>,
    /// The process of a failure that is not about the file: another process is tried at once.
    of_process: Option<u32>,
}

impl Cached {
    fn answers(&self, request: &Request, now: Instant) -> bool {
        self.retry_at.is_none_or(|retry_at| now < retry_at)
            && self.of_process.is_none_or(|tgid| tgid == request.locator.tgid || !request.lives)
            && self.outcome.covers(&request.file)
    }
}

impl Digests {
    /// An empty cache. Workers ring `waker` when [`Digests::collect`] has something to return.
    #[must_use]
    pub fn new(options: DigestOptions, proc: &Arc<Proc>, waker: &WakeEvent) -> Self {
        Self {
            limits: options.limits,
            now: Instant::now(),
            proc: proc.clone(),
            waker: waker.clone(),
            pool: None,
            cache: Cache::new(options.cache_entries),
            running: HashMap::new(),
            begun: VecDeque::new(),
            count: 0,
        }
    }

    /// Changes what every later [`Digests::of`] computes, also for files whose digests are cached.
    pub fn set_limits(&mut self, limits: DigestLimits) {
        self.limits = limits;
    }

    /// Sets the time by which retries and deadlines are measured. The owner calls it once for each batch of records.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Until when an event that asks now waits for its digest.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.now + self.limits.wait
    }

    /// The digests of a file, from the cache; or a worker starts to compute them, and [`Digests::collect`] reports the end.
    pub fn of(&mut self, request: Request) -> Answer {
        let limits = self.limits;
        if limits.algorithms.is_empty() {
            return Answer::Known(State::Failed(Reason::Disabled));
        }
        if self.proc.is_nowhere() {
            // The files of this machine are not those of the recorded one.
            return Answer::Known(State::Failed(Reason::Replay));
        }
        if request.file.file.size > limits.max_size {
            return Answer::Known(State::Failed(Reason::TooLarge));
        }
        let key = request.file.key(limits.algorithms);
        if let Some(cached) = self.cache.get(&key).filter(|cached| cached.answers(&request, self.now)) {
            return Answer::Known(cached.outcome.state(&request.file));
        }
        let Request { file, locator, lives } = request;
        let job = Job { key, file, locator, limits };
        if let Some(computation) = self.running.get(&key) {
            // The process of the first request may be gone by now; this one is younger.
            if lives {
                computation.set_fallback(job);
            }
            return Answer::Pending { digest: PendingDigest::new(computation, &file), first: false };
        }
        match self.begin(job) {
            Some(computation) => {
                Answer::Pending { digest: PendingDigest::new(&computation, &file), first: true }
            }
            None => Answer::Known(State::Failed(Reason::Io("EAGAIN"))),
        }
    }

    /// `None` if the queue of the workers is full.
    fn begin(&mut self, job: Job) -> Option<Rc<Computation>> {
        let key = job.key;
        let pool = self.pool.get_or_insert_with(|| Pool::start(&self.proc, &self.waker));
        if !pool.submit(job) {
            return None;
        }
        self.count += 1;
        let computation = Rc::new(Computation::new(self.count));
        self.running.insert(key, computation.clone());
        self.begun.push_back((self.now, key, self.count));
        Some(computation)
    }

    /// Takes the results of the workers. Returns the numbers of the computations that ended.
    pub fn collect(&mut self) -> Vec<u64> {
        let finished: Vec<_> = self.pool.iter().flat_map(Pool::finished).collect();
        let mut ended = Vec::new();
        for (key, tgid, result) in finished {
            let outcome = match result {
                Ok(ProvedDigest { digest, from_ns }) => Outcome::Ready { digest: Rc::new(digest), from_ns },
                Err(reason) => Outcome::Failed(reason),
            };
            // The file may be readable through another process.
            if outcome.is_of_the_process() && self.try_fallback(key) {
                continue;
            }
            self.store(key, tgid, outcome.clone());
            if let Some(computation) = self.running.remove(&key) {
                computation.end(outcome);
                ended.push(computation.id());
            }
        }
        self.give_up(&mut ended);
        ended
    }

    fn store(&mut self, key: Key, tgid: u32, outcome: Outcome) {
        let of_process = outcome.is_of_the_process().then_some(tgid);
        // What is known of the file is worth more.
        if of_process.is_none() || self.cache.peek(&key).is_none_or(|cached| cached.outcome.is_failure()) {
            let retry_at = outcome.is_failure().then(|| self.now + RETRY);
            self.cache.insert(key, Cached { outcome, retry_at, of_process });
        }
    }

    fn try_fallback(&self, key: Key) -> bool {
        let fallback = self.running.get(&key).and_then(|computation| computation.take_fallback());
        fallback.is_some_and(|job| self.pool.as_ref().is_some_and(|pool| pool.submit(job)))
    }

    /// Ends computations that have run for too long.
    fn give_up(&mut self, ended: &mut Vec<u64>) {
        while let Some(&(begun, key, id)) = self.begun.front() {
            let is_running = self.running.get(&key).is_some_and(|computation| computation.id() == id);
            if is_running && self.now.saturating_duration_since(begun) < PATIENCE {
                return;
            }
            self.begun.pop_front();
            if is_running && let Some(computation) = self.running.remove(&key) {
                computation.end(Outcome::Failed(Reason::Io("ETIMEDOUT")));
                ended.push(id);
            }
        }
    }
}
