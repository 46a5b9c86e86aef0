//! The order of the stream: events leave as they came, though one may wait for its digests.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use crate::{
    digest::{Answer, Digests, PendingDigest, State},
    enrich::Draft,
    event::{Action, Event, Origin, Process},
    fact::Reason,
};

/// Most processes whose late digests are reported.
const LATE_MAX: usize = 16_384;

/// An event that waits.
#[derive(Debug)]
struct Waiting {
    event: Box<Event>,
    time_ns: u64,
    digest: Option<AwaitedDigest>,
}

#[derive(Clone, Debug)]
struct AwaitedDigest {
    pending: PendingDigest,
    /// Until when the event waits; `None` if it does not.
    deadline: Option<Instant>,
}

/// The digests of a process that was written without them.
#[derive(Debug)]
pub(super) struct LateDigest {
    pub(super) process: Process,
    pub(super) digest: PendingDigest,
}

/// The events that wait, in their order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Processes that were written without their digests, by the computation.
    late: HashMap<u64, Vec<LateDigest>>,
    late_count: usize,
}

impl Queue {
    /// How many events are in it.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many processes were written without digests that are still being computed.
    #[must_use]
    pub(super) fn late_digests(&self) -> usize {
        self.late_count
    }

    /// Queues a draft, and requests its digests.
    pub(super) fn push(&mut self, draft: Draft, digests: &mut Digests) {
        let Draft { mut event, time_ns, digest } = draft;
        let digest = match digest.map(|request| digests.of(request)) {
            Some(Answer::Known(state)) => {
                write_digest(&mut event, &state, true);
                None
            }
            Some(Answer::Pending { digest, first }) => {
                // Its exec has waited for the same digests.
                let waits = first || !matches!(event.action(), Action::Exit | Action::Fork);
                Some(AwaitedDigest { pending: digest, deadline: waits.then(|| digests.deadline()) })
            }
            None => None,
        };
        self.waiting.push_back(Waiting { event, time_ns, digest });
    }

    /// Queues an event that waits for nothing.
    pub(super) fn push_ready(&mut self, event: Box<Event>, time_ns: u64) {
        self.waiting.push_back(Waiting { event, time_ns, digest: None });
    }

    /// The next event that may leave, with its time.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Box<Event>, u64)> {
        let head = self.waiting.front()?;
        if let Some(AwaitedDigest { pending, deadline: Some(deadline) }) = &head.digest
            && now < *deadline
            && matches!(pending.state(), State::Pending)
        {
            return None;
        }
        let Waiting { mut event, time_ns, digest } = self.waiting.pop_front()?;
        if let Some(awaited) = digest {
            self.settle(&mut event, awaited.pending);
        }
        Some((event, time_ns))
    }

    /// When the next event leaves at the latest, if it waits for digests.
    #[must_use]
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.front()?.digest.as_ref()?.deadline
    }

    /// Removes the processes that were written without the digests of this computation.
    pub(super) fn take_late(&mut self, computation: u64) -> Vec<LateDigest> {
        let late = self.late.remove(&computation).unwrap_or_default();
        self.late_count -= late.len();
        late
    }

    /// Writes the digests that there are by now.
    fn settle(&mut self, event: &mut Event, digest: PendingDigest) {
        let state = digest.state();
        write_digest(event, &state, false);
        if matches!(state, State::Pending) && self.late_count < LATE_MAX {
            self.remember(event, digest);
        }
    }

    fn remember(&mut self, event: &Event, digest: PendingDigest) {
        let Some(process) = event.process.as_deref() else { return };
        let late = self.late.entry(digest.computation()).or_default();
        // A connect or the end of a process whose exec is remembered adds nothing.
        if late.iter().any(|late| late.process.exec_id == process.exec_id) {
            return;
        }
        self.late_count += 1;
        late.push(LateDigest { process: identity(process), digest });
    }
}

/// The fields of a process that a `checksums` event repeats.
fn identity(process: &Process) -> Process {
    Process {
        pid: process.pid,
        entity_id: process.entity_id,
        exec_id: process.exec_id,
        start: process.start,
        comm: process.comm.clone(),
        name: process.name.clone(),
        executable: process.executable.clone(),
        exe: process.exe.clone(),
        ..Process::default()
    }
}

/// Writes `process.hash`, or why it is absent.
pub(super) fn write_digest(event: &mut Event, state: &State, cached: bool) {
    let Some(process) = &mut event.process else { return };
    let reason = match state {
        State::Ready(digest) => {
            process.hash = Some(digest.hashes.clone());
            process.hash_source = Some(digest.source);
            let origin = if cached { Origin::Cache } else { Origin::Proc };
            event.capture.origin.insert("process.hash".into(), origin);
            return;
        }
        State::Pending => Reason::Pending,
        State::Failed(reason) => *reason,
    };
    event.capture.missing.insert("process.hash".into(), reason.into());
}
