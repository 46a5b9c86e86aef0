//! Digests of images: computed once for each file by a small pool, remembered by the file's identity, and never those of
//! anything but the image.
//!
//! The thread that owns the events asks and is told later; it never reads a file. Any number of askers wait for one
//! computation. What proves that a file is the image, and that two execs ran the same bytes, is in `sighting` and
//! `proof`; where the bytes are looked for is in `sources`.

mod asked;
mod hash;
mod memory;
mod pool;
mod proof;
mod roots;
mod sighting;
mod sources;

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::unsync::Cache;

pub use self::{
    asked::{Answer, State, Ticket},
    pool::Candidate,
    sighting::Sighting,
};
use self::{
    asked::{Computation, Outcome},
    pool::{Job, Pool},
    sighting::Key,
};
use crate::{
    checksum::Algorithms,
    defaults,
    event::{HashSource, Hashes, Shared},
    known::Reason,
    procfs::Proc,
    wake_event::WakeEvent,
};

/// What is wanted of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Which digests.
    pub algorithms: Algorithms,
    /// Larger files are left out, in bytes.
    pub max_size: u64,
    /// How long an event waits for a new digest.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            algorithms: Algorithms::ALL,
            max_size: defaults::DIGEST_MAX_BYTES,
            wait: Duration::from_millis(defaults::DIGEST_WAIT_MS),
        }
    }
}

/// How digests are made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What may change while the agent runs.
    pub limits: Limits,
    /// Files that are remembered.
    pub cache_entries: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), cache_entries: defaults::DIGEST_CACHE_ENTRIES }
    }
}

/// Digests of a file, and what they were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The digests.
    pub hashes: Shared<Hashes>,
    /// What was read.
    pub source: HashSource,
}

/// What the pool finds.
#[derive(Debug)]
struct Found {
    digest: Digest,
    /// Since when a process has run the file, where that proves its bytes and not its change time; in nanoseconds since
    /// boot.
    from_ns: Option<u64>,
}

/// A failure is tried again after this time: the file may have become readable.
const RETRY: Duration = Duration::from_secs(2);
/// How long a file is waited for: a file system that somebody serves may never answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The digests of the image of one process, computed on this thread: not for the thread of the events.
pub fn compute(
    sighting: &Sighting,
    candidate: Candidate,
    limits: Limits,
    proc: &Proc,
) -> Result<Digest, Reason> {
    if sighting.file.size > limits.max_size {
        return Err(Reason::TooLarge);
    }
    let key = sighting.key(limits.algorithms);
    let job = Job { key, sighting: *sighting, candidate, limits };
    let closed_to_writers = pool::closed_to_writers_here();
    let found = sources::read(&job, proc, &mut roots::Namespaces::default(), closed_to_writers)?;
    Ok(found.digest)
}

/// The files whose digests are known or on their way.
pub struct Digests {
    limits: Limits,
    proc: Arc<Proc>,
    waker: WakeEvent,
    /// Started with the first digest that is wanted.
    pool: Option<Pool>,
    known: Cache<Key, Remembered>,
    underway: HashMap<Key, Rc<Computation>>,
    /// What is underway, by when it was begun.
    begun: VecDeque<(Instant, Key, u64)>,
    /// Computations so far: the number of the next.
    next: u64,
}

#[derive(Clone, Debug)]
struct Remembered {
    outcome: Outcome,
    /// When a failure may be tried again.
    retry_at: Option<Instant>,
    /// The process that a failure is of, where it says nothing of the file: another process is tried at once.
    of_process: Option<u32>,
}

impl Remembered {
    /// Whether it answers a question about a process.
    fn answers(&self, sighting: &Sighting, tgid: u32, lives: bool, now: Instant) -> bool {
        self.retry_at.is_none_or(|retry_at| now < retry_at)
            && self.of_process.is_none_or(|of_process| of_process == tgid || !lives)
            && self.outcome.covers(sighting)
    }
}

impl Digests {
    /// None yet.
    #[must_use]
    pub fn new(options: Options, proc: &Arc<Proc>, waker: &WakeEvent) -> Self {
        Self {
            limits: options.limits,
            proc: proc.clone(),
            waker: waker.clone(),
            pool: None,
            known: Cache::new(options.cache_entries),
            underway: HashMap::new(),
            begun: VecDeque::new(),
            next: 0,
        }
    }

    /// Changes what every later [`Digests::of`] computes, also for files whose digests are cached.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// How long an event waits for a new digest.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.limits.wait
    }

    /// What is known of the digests of a file. Where nothing is, `candidate` says where the file may be found, and the
    /// ticket has the answer once [`Digests::collect`] has named it. Nothing is read through a process that has ended,
    /// where another one is asked about as well.
    pub fn of(&mut self, sighting: &Sighting, now: Instant, candidate: Candidate, lives: bool) -> Answer {
        let limits = self.limits;
        if limits.algorithms.is_empty() {
            return Answer::Known(State::Failed(Reason::Disabled));
        }
        if sighting.file.size > limits.max_size {
            return Answer::Known(State::Failed(Reason::TooLarge));
        }
        let key = sighting.key(limits.algorithms);
        if let Some(remembered) = self.known.get(&key)
            && remembered.answers(sighting, candidate.tgid, lives, now)
        {
            return Answer::Known(remembered.outcome.state(sighting));
        }
        let job = Job { key, sighting: *sighting, candidate, limits };
        if let Some(computation) = self.underway.get(&key) {
            // The process that was asked about may be gone by now; this one is younger.
            if lives {
                computation.keep(job);
            }
            return Answer::Asked { ticket: Ticket::new(computation, sighting), first: false };
        }
        match self.begin(key, job, now) {
            Some(computation) => Answer::Asked { ticket: Ticket::new(&computation, sighting), first: true },
            None => Answer::Known(State::Failed(Reason::Io("EAGAIN"))),
        }
    }

    fn begin(&mut self, key: Key, job: Job, now: Instant) -> Option<Rc<Computation>> {
        let pool = self.pool.get_or_insert_with(|| Pool::start(&self.proc, &self.waker));
        if !pool.submit(job) {
            return None;
        }
        self.next += 1;
        let computation = Rc::new(Computation::new(self.next));
        self.underway.insert(key, computation.clone());
        self.begun.push_back((now, key, self.next));
        Some(computation)
    }

    /// Takes what the pool has finished, and names the computations that have come to their end.
    pub fn collect(&mut self, now: Instant) -> Vec<u64> {
        let finished: Vec<_> = self.pool.iter().flat_map(Pool::finished).collect();
        let mut ended = Vec::new();
        for (key, tgid, result) in finished {
            let outcome = match result {
                Ok(Found { digest, from_ns }) => Outcome::Ready { digest: Rc::new(digest), from_ns },
                Err(reason) => Outcome::Failed(reason),
            };
            // Another process may do what the one that was asked about could not.
            if outcome.is_of_the_process() && self.try_another(key) {
                continue;
            }
            self.remember(key, tgid, outcome.clone(), now);
            if let Some(computation) = self.underway.remove(&key) {
                computation.end(outcome);
                ended.push(computation.id());
            }
        }
        self.give_up(now, &mut ended);
        ended
    }

    fn remember(&mut self, key: Key, tgid: u32, outcome: Outcome, now: Instant) {
        let of_process = outcome.is_of_the_process().then_some(tgid);
        // What is known of the file is worth more.
        if of_process.is_none() || self.known.peek(&key).is_none_or(|known| known.outcome.is_failure()) {
            let retry_at = outcome.is_failure().then(|| now + RETRY);
            self.known.insert(key, Remembered { outcome, retry_at, of_process });
        }
    }

    fn try_another(&self, key: Key) -> bool {
        let kept = self.underway.get(&key).and_then(|computation| computation.take_kept());
        kept.is_some_and(|job| self.pool.as_ref().is_some_and(|pool| pool.submit(job)))
    }

    /// Ends what has been underway for too long.
    fn give_up(&mut self, now: Instant, ended: &mut Vec<u64>) {
        while let Some(&(begun, key, id)) = self.begun.front() {
            let is_underway = self.underway.get(&key).is_some_and(|computation| computation.id() == id);
            if is_underway && now.saturating_duration_since(begun) < PATIENCE {
                return;
            }
            self.begun.pop_front();
            if is_underway && let Some(computation) = self.underway.remove(&key) {
                computation.end(Outcome::Failed(Reason::Io("ETIMEDOUT")));
                ended.push(id);
            }
        }
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
