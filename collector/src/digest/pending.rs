//! One computation for all events that wait for a file's digests, and an answer for each of them.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use super::{
    job::{Digest, Job},
    observed_file::ObservedFile,
};
use crate::fact::Reason;

/// What is known of a file's digests.
#[derive(Clone, Debug)]
pub enum State {
    /// A worker computes them.
    Pending,
    /// They are there.
    Ready(Rc<Digest>),
    /// They could not be computed.
    Failed(Reason),
}

/// The answer to a [`Request`](super::Request).
#[derive(Debug)]
pub enum Answer {
    /// It is in the cache, or needs no reading.
    Known(State),
    /// A worker computes it.
    Pending {
        /// Has the answer later.
        digest: PendingDigest,
        /// Whether this request started the computation.
        first: bool,
    },
}

/// A digest that a worker computes.
#[derive(Clone, Debug)]
pub struct PendingDigest {
    computation: Rc<Computation>,
    file: ObservedFile,
}

impl PendingDigest {
    pub(super) fn new(computation: &Rc<Computation>, file: &ObservedFile) -> Self {
        Self { computation: computation.clone(), file: *file }
    }

    /// The answer so far.
    #[must_use]
    pub fn state(&self) -> State {
        self.computation.outcome.get().map_or(State::Pending, |outcome| outcome.state(&self.file))
    }

    /// The computation that it waits for; [`Digests::collect`](super::Digests::collect) returns the same number.
    #[must_use]
    pub fn computation(&self) -> u64 {
        self.computation.id
    }
}

/// A file that a worker reads.
#[derive(Debug)]
pub(super) struct Computation {
    id: u64,
    outcome: OnceCell<Outcome>,
    /// The job of the latest request that joined: tried if the process of the first one is gone.
    fallback: RefCell<Option<Job>>,
}

impl Computation {
    pub(super) fn new(id: u64) -> Self {
        Self { id, outcome: OnceCell::new(), fallback: RefCell::new(None) }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn set_fallback(&self, job: Job) {
        self.fallback.replace(Some(job));
    }

    pub(super) fn take_fallback(&self) -> Option<Job> {
        self.fallback.take()
    }

    /// Sets the outcome. A computation ends once, so the first stays.
    pub(super) fn end(&self, outcome: Outcome) {
        let _ = self.outcome.set(outcome);
    }
}

/// The result of a computation.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Digests, for every observed file that is not fresh.
    Ready {
        digest: Rc<Digest>,
        /// They also hold for fresh files from this moment on, in nanoseconds since boot: a process ran the file from then
        /// until all of it was read, and since then every change shows in its change time.
        from_ns: Option<u64>,
    },
    /// No digests.
    Failed(Reason),
}

impl Outcome {
    /// Whether it answers for this file.
    pub(super) fn covers(&self, file: &ObservedFile) -> bool {
        match self {
            Self::Ready { from_ns, .. } => {
                !file.is_fresh() || from_ns.is_some_and(|from_ns| from_ns <= file.at_ns)
            }
            Self::Failed(_) => true,
        }
    }

    /// The answer for this file.
    pub(super) fn state(&self, file: &ObservedFile) -> State {
        match self {
            Self::Ready { digest, .. } if self.covers(file) => State::Ready(digest.clone()),
            Self::Ready { .. } => State::Failed(Reason::Unstable),
            Self::Failed(reason) => State::Failed(*reason),
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether it is about one process and not about the file.
    pub(super) fn is_of_the_process(&self) -> bool {
        matches!(self, Self::Failed(Reason::Exited | Reason::Unstable))
    }
}
