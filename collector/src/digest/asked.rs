//! What those who ask for a file's digests hold: one computation for all of them, and an answer for each.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use super::{Digest, pool::Job, sighting::Sighting};
use crate::known::Reason;

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

/// What comes of a question.
#[derive(Debug)]
pub enum Answer {
    /// It was known, or needs no reading.
    Known(State),
    /// It is being computed.
    Asked {
        /// Has the answer later.
        ticket: Ticket,
        /// Whether it was this question that began it.
        first: bool,
    },
}

/// A question whose answer is on its way.
#[derive(Clone, Debug)]
pub struct Ticket {
    computation: Rc<Computation>,
    sighting: Sighting,
}

impl Ticket {
    pub(super) fn new(computation: &Rc<Computation>, sighting: &Sighting) -> Self {
        Self { computation: computation.clone(), sighting: *sighting }
    }

    /// The answer, as far as there is one.
    #[must_use]
    pub fn state(&self) -> State {
        self.computation.outcome.get().map_or(State::Pending, |outcome| outcome.state(&self.sighting))
    }

    /// Which computation it waits for, as [`Digests::collect`](super::Digests::collect) names it.
    #[must_use]
    pub fn computation(&self) -> u64 {
        self.computation.id
    }
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Computation {
    id: u64,
    outcome: OnceCell<Outcome>,
    /// The youngest of those that joined: what to try where the first one's process is gone.
    kept: RefCell<Option<Job>>,
}

impl Computation {
    pub(super) fn new(id: u64) -> Self {
        Self { id, outcome: OnceCell::new(), kept: RefCell::new(None) }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn keep(&self, job: Job) {
        self.kept.replace(Some(job));
    }

    pub(super) fn take_kept(&self) -> Option<Job> {
        self.kept.take()
    }

    /// Notes what came of it. There is one end, so the first stays.
    pub(super) fn end(&self, outcome: Outcome) {
        let _ = self.outcome.set(outcome);
    }
}

/// What came of a computation.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Digests, for every sighting that is not fresh.
    Ready {
        digest: Rc<Digest>,
        /// And for fresh ones from this moment on, in nanoseconds since boot: a process ran the file from then until all
        /// of it was read, and since then every change shows in its change time.
        from_ns: Option<u64>,
    },
    /// None.
    Failed(Reason),
}

impl Outcome {
    /// Whether it answers for this sighting.
    pub(super) fn covers(&self, sighting: &Sighting) -> bool {
        match self {
            Self::Ready { from_ns, .. } => {
                !sighting.is_fresh() || from_ns.is_some_and(|from_ns| from_ns <= sighting.at_ns)
            }
            Self::Failed(_) => true,
        }
    }

    /// The answer for this sighting.
    pub(super) fn state(&self, sighting: &Sighting) -> State {
        match self {
            Self::Ready { digest, .. } if self.covers(sighting) => State::Ready(digest.clone()),
            Self::Ready { .. } => State::Failed(Reason::Unstable),
            Self::Failed(reason) => State::Failed(*reason),
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether it says something of one process, and nothing of the file.
    pub(super) fn is_of_the_process(&self) -> bool {
        matches!(self, Self::Failed(Reason::Exited | Reason::Unstable))
    }
}
