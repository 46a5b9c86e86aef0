//! Batches: the stream in native JSON, encoded once, with an index. All outputs share them.

mod buffers;

use std::{fmt::Debug, ops::Range};

use collector_event::{Action, Event, Host, OutputCounters, Shared};

use self::buffers::{Buffer, Buffers};
use crate::format::json;

/// A batch that has this many bytes is full.
pub const BATCH_BYTES: usize = 256 << 10;
/// Room for the line that fills a batch, so that most batches never move.
const LINE_BYTES: usize = 16 << 10;

/// Consecutive events of the stream, immutable. It is made to be shared by outputs through an `Arc`.
#[derive(Debug)]
pub struct Batch {
    json: Buffer,
    index: Vec<Entry>,
    /// One for each entry, or none at all if no output needs them.
    events: Vec<Event>,
    host: Shared<Host>,
}

/// Where one event of a batch is, and what a selection needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// End of its line in the bytes of the batch, behind the newline. It begins where the one before it ends.
    end: usize,
    /// `event.action`
    pub action: Action,
    /// `event.sequence`
    pub sequence: u64,
    /// `@timestamp`, in nanoseconds since 1970.
    pub time_ns: i64,
}

impl Batch {
    /// The number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Native JSON Lines, each with its newline.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        self.json.bytes()
    }

    /// The events, each with the range of its line in [`Batch::json`].
    pub fn entries(&self) -> impl Iterator<Item = (Entry, Range<usize>)> {
        let mut begin = 0;
        self.index.iter().map(move |entry| {
            let range = begin..entry.end;
            begin = entry.end;
            (*entry, range)
        })
    }

    /// The events as types, in the order of the entries. Empty unless the batch was built with them.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The entry of the last event.
    #[must_use]
    pub fn last(&self) -> Option<Entry> {
        self.index.last().copied()
    }

    /// `host.*` of the last event.
    #[must_use]
    pub fn host(&self) -> &Shared<Host> {
        &self.host
    }
}

/// Builds batches, on the thread that makes the events. It encodes each event right where it was made: that spares the many
/// parts of an event the way to another CPU.
#[derive(Debug)]
pub struct BatchBuilder {
    buffers: Buffers,
    with_events: bool,
    batch: Option<Batch>,
}

impl BatchBuilder {
    /// Without any event yet. `with_events` keeps the typed events beside their lines, for outputs with a format of their own.
    #[must_use]
    pub fn new(with_events: bool) -> Self {
        Self { buffers: Buffers::new(BATCH_BYTES + LINE_BYTES), with_events, batch: None }
    }

    /// Encodes an event at the end of the batch; answers whether the batch is full.
    pub fn push(&mut self, event: Box<Event>) -> bool {
        let batch = self.batch.get_or_insert_with(|| Batch {
            json: self.buffers.take(),
            index: Vec::new(),
            events: Vec::new(),
            host: event.host.clone(),
        });
        let json = batch.json.bytes_mut();
        json::encode(&event, json);
        json.push(b'\n');
        let end = json.len();
        batch.index.push(Entry {
            end,
            action: event.action(),
            sequence: event.event.sequence.unwrap_or(0),
            time_ns: event.timestamp.0,
        });
        if !event.host.is(&batch.host) {
            batch.host = event.host.clone();
        }
        if self.with_events {
            batch.events.push(*event);
        }
        end >= BATCH_BYTES
    }

    /// The batch, if it has any event; the next event begins another one.
    pub fn finish(&mut self) -> Option<Batch> {
        self.batch.take()
    }
}

/// What the consumer of batches reports to the agent, for `agent-stop`.
pub trait Delivery: Send + Debug {
    /// `event.sequence` of the last event that every output was offered.
    fn offered(&self) -> u64;

    /// The counters of each output.
    fn counters(&self) -> Vec<OutputCounters>;
}

#[cfg(test)]
mod tests {
    use collector_event::{Action, Event, Shared, Timestamp};

    use super::BatchBuilder;

    fn event(action: Action, sequence: u64) -> Box<Event> {
        let mut event = Event::new(action, Timestamp(7), Shared::default());
        event.event.sequence = Some(sequence);
        Box::new(event)
    }

    #[test]
    fn the_index_leads_to_each_line() {
        let mut builder = BatchBuilder::new(true);
        assert!(builder.finish().is_none());
        for (sequence, action) in [(1, Action::AgentStart), (2, Action::Exec)] {
            assert!(!builder.push(event(action, sequence)));
        }
        let batch = builder.finish().unwrap();
        assert_eq!((batch.len(), batch.events().len(), batch.last().unwrap().sequence), (2, 2, 2));
        for ((entry, range), typed) in batch.entries().zip(batch.events()) {
            let line: Event = serde_json::from_slice(&batch.json()[range]).unwrap();
            assert_eq!(line, *typed);
            assert_eq!((entry.action, Some(entry.sequence)), (line.action(), line.event.sequence));
        }
        assert!(builder.finish().is_none());
    }

    #[test]
    fn a_batch_is_full_by_its_bytes_and_has_no_typed_events_unless_they_are_wanted() {
        let mut builder = BatchBuilder::new(false);
        let count = (1..100_000).find(|&sequence| builder.push(event(Action::Exec, sequence))).unwrap();
        let batch = builder.finish().unwrap();
        assert!(batch.json().len() >= super::BATCH_BYTES);
        assert_eq!((u64::try_from(batch.len()).unwrap(), batch.events().len()), (count, 0));
    }
}
