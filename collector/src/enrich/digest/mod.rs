//! Digests of images: computed once for each file by a small pool, remembered by the file's identity.
//!
//! The thread that owns the events asks and is told later; it never reads a file. Any number of askers wait for one
//! computation.

mod hash;
mod pool;

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use collector_common::FileIdentity;
use quick_cache::unsync::Cache;

pub use self::pool::{Candidate, Job, Pool};
use crate::{
    event::{HashSource, Hashes},
    known::Reason,
    procfs::Proc,
    wake::Waker,
};

/// Which digests are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the algorithm of its name")]
pub struct Algorithms {
    pub md5: bool,
    pub sha1: bool,
    pub sha256: bool,
}

impl Algorithms {
    /// All of them.
    pub const ALL: Self = Self { md5: true, sha1: true, sha256: true };

    /// Whether there is nothing to compute.
    #[must_use]
    pub fn is_none(self) -> bool {
        !(self.md5 || self.sha1 || self.sha256)
    }
}

/// How digests are made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which.
    pub algorithms: Algorithms,
    /// Larger files are left out.
    pub max_size: u64,
    /// Files that are remembered.
    pub cache_entries: usize,
    /// How long an event waits for a new digest.
    pub wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            algorithms: Algorithms::ALL,
            max_size: 512 << 20,
            cache_entries: 16_384,
            wait: Duration::from_millis(100),
        }
    }
}

/// Digests of a file, and what they were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The digests.
    pub hashes: Hashes,
    /// What was read.
    pub source: HashSource,
}

/// What is known of a file's digests.
#[derive(Clone, Debug)]
pub enum State {
    /// They are being computed.
    Pending,
    /// Here they are.
    Ready(Rc<Digest>),
    /// They could not be computed.
    Failed(Reason),
}

/// A failure is tried again after this time: the file may have become readable.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
struct Remembered {
    state: State,
    /// When a failure may be tried again.
    retry_at: Option<Instant>,
}

/// The files whose digests are known or on their way.
pub struct Digests {
    options: Options,
    files: Cache<Key, Remembered>,
    pool: Option<Pool>,
}

/// What proves that two executions ran the same bytes: any change of a file changes its change time, and another file with
/// its inode number, made in the same tick of the clock, has another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    device: u32,
    inode: u64,
    size: u64,
    ctime_s: i64,
    ctime_ns: u32,
    generation: u32,
}

impl From<&FileIdentity> for Key {
    fn from(file: &FileIdentity) -> Self {
        Self {
            device: file.device,
            inode: file.inode,
            size: file.size,
            ctime_s: file.ctime_s,
            ctime_ns: file.ctime_ns,
            generation: file.generation,
        }
    }
}

impl Digests {
    /// None yet. With no algorithm no thread is started.
    #[must_use]
    pub fn new(options: Options, proc: &Arc<Proc>, waker: &Waker) -> Self {
        let pool = (!options.algorithms.is_none()).then(|| Pool::start(options, proc, waker));
        Self { options, files: Cache::new(options.cache_entries), pool }
    }

    /// How long an event waits for a new digest.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.options.wait
    }

    /// What is known of the digests of a file. Where nothing is, `candidate` says where the file may be found, and the
    /// answer is [`State::Pending`] until [`Digests::collect`] names the file. `true` where the answer was known before.
    pub fn of(
        &mut self,
        file: &FileIdentity,
        now: Instant,
        candidate: impl FnOnce() -> Candidate,
    ) -> (State, bool) {
        let Some(pool) = &self.pool else { return (State::Failed(Reason::Disabled), true) };
        if file.size > self.options.max_size {
            return (State::Failed(Reason::TooLarge), true);
        }
        let key = Key::from(file);
        match self.files.get(&key) {
            Some(remembered) if remembered.retry_at.is_none_or(|retry_at| now < retry_at) => {
                return (remembered.state.clone(), true);
            }
            Some(_) | None => {}
        }
        if !pool.submit(Job { key, file: *file, candidate: candidate() }) {
            return (State::Failed(Reason::Io("EAGAIN")), true);
        }
        self.files.insert(key, Remembered { state: State::Pending, retry_at: None });
        (State::Pending, false)
    }

    /// What is known of a file's digests, without asking for them.
    #[must_use]
    pub fn known(&self, key: Key) -> Option<State> {
        self.files.peek(&key).map(|remembered| remembered.state.clone())
    }

    /// Takes what the pool has finished, and names the files.
    pub fn collect(&mut self, now: Instant) -> Vec<Key> {
        let Some(pool) = &self.pool else { return Vec::new() };
        let finished = pool.finished();
        let keys = finished.iter().map(|(key, _)| *key).collect();
        for (key, result) in finished {
            let remembered = match result {
                Ok(digest) => Remembered { state: State::Ready(Rc::new(digest)), retry_at: None },
                Err(reason) => Remembered { state: State::Failed(reason), retry_at: Some(now + RETRY) },
            };
            self.files.insert(key, remembered);
        }
        keys
    }
}
