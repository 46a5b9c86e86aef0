//! The order of the stream: events leave as they came, though one may wait for its digests.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use collector_common::FileIdentity;

use crate::{
    enrich::{
        Draft,
        digest::{Digests, Key, State},
    },
    event::{Action, Event, Origin, Process, Reason as WrittenReason},
    known::Reason,
};

/// Events written without their digests whose digests will be told, at most.
const LATE_MAX: usize = 16_384;

/// An event on its way out.
#[derive(Debug)]
struct Waiting {
    event: Event,
    time_ns: u64,
    digest: Option<Wanted>,
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    key: Key,
    /// Whether the digests were known when the event was made.
    cached: bool,
    /// Until when the event waits; `None` for one that takes what there is.
    deadline: Option<Instant>,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Processes that were written without their digests, by the file.
    late: HashMap<Key, Vec<Process>>,
    late_count: usize,
}

impl Queue {
    /// How many events are in it.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many processes were told without digests that are on their way.
    #[must_use]
    pub(super) fn late(&self) -> usize {
        self.late_count
    }

    /// Takes a draft in, and asks for its digests.
    pub(super) fn push(&mut self, draft: Draft, digests: &mut Digests, now: Instant) {
        let Draft { mut event, time_ns, file, candidate } = draft;
        let digest = match (file, candidate) {
            (Some(file), Some(candidate)) => {
                let (state, cached) = digests.of(&file, now, || candidate);
                wanted(&mut event, &file, &state, cached, digests, now)
            }
            _ => None,
        };
        self.waiting.push_back(Waiting { event, time_ns, digest });
    }

    /// Takes in an event that waits for nothing.
    pub(super) fn push_ready(&mut self, event: Event, time_ns: u64) {
        self.waiting.push_back(Waiting { event, time_ns, digest: None });
    }

    /// The next event that may leave, with its time.
    pub(super) fn pop(&mut self, digests: &Digests, now: Instant) -> Option<(Event, u64)> {
        let head = self.waiting.front()?;
        if let Some(Wanted { key, deadline: Some(deadline), .. }) = head.digest {
            let pending = matches!(digests.known(key), Some(State::Pending));
            if pending && now < deadline {
                return None;
            }
        }
        let Waiting { mut event, time_ns, digest } = self.waiting.pop_front()?;
        if let Some(wanted) = digest {
            self.settle(&mut event, wanted, digests);
        }
        Some((event, time_ns))
    }

    /// When the next event leaves at the latest, where it waits.
    #[must_use]
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.front()?.digest?.deadline
    }

    /// The processes that were written without these digests.
    pub(super) fn take_late(&mut self, key: Key) -> Vec<Process> {
        let late = self.late.remove(&key).unwrap_or_default();
        self.late_count -= late.len();
        late
    }

    /// Writes the digests that there are by now.
    fn settle(&mut self, event: &mut Event, wanted: Wanted, digests: &Digests) {
        // A file that the cache has let go of meanwhile is as good as pending: nothing will be told of it later.
        let state = digests.known(wanted.key).unwrap_or(State::Pending);
        write(event, &state, wanted.cached);
        let tells_later = matches!(event.action(), Action::Exec | Action::Snapshot | Action::Connect);
        if matches!(state, State::Pending) && tells_later && self.late_count < LATE_MAX {
            self.remember(event, wanted.key);
        }
    }

    fn remember(&mut self, event: &Event, key: Key) {
        let Some(process) = event.process.as_deref() else { return };
        let late = self.late.entry(key).or_default();
        // A connect of a process whose exec is remembered adds nothing.
        if late.iter().any(|late| late.exec_id == process.exec_id) {
            return;
        }
        self.late_count += 1;
        late.push(identity(process));
    }
}

/// What of a process a `checksums` record repeats.
fn identity(process: &Process) -> Process {
    Process {
        pid: process.pid,
        entity_id: process.entity_id.clone(),
        exec_id: process.exec_id.clone(),
        start: process.start,
        comm: process.comm.clone(),
        name: process.name.clone(),
        executable: process.executable.clone(),
        exe: process.exe.clone(),
        ..Process::default()
    }
}

/// Writes digests that are known at once, or says what the event waits for.
fn wanted(
    event: &mut Event,
    file: &FileIdentity,
    state: &State,
    cached: bool,
    digests: &Digests,
    now: Instant,
) -> Option<Wanted> {
    if !matches!(state, State::Pending) {
        write(event, state, cached);
        return None;
    }
    // The end of a process waits for nothing: its exec did.
    let waits = !matches!(event.action(), Action::Exit | Action::Fork);
    Some(Wanted { key: Key::from(file), cached, deadline: waits.then(|| now + digests.wait()) })
}

/// Writes `process.hash`, or why it is absent.
pub(super) fn write(event: &mut Event, state: &State, cached: bool) {
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
    event.capture.missing.insert("process.hash".into(), WrittenReason(reason.to_string().into()));
}
