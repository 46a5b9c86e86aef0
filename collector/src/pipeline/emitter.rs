//! The end of the pipeline: gives each event its place in the stream and hands it off.

use std::sync::Arc;

use super::{channel::Closed, handoff::Handoff};
use crate::{
    clock::boottime_ns,
    event::{Event, EventId},
};

/// Numbers the events and hands them off.
pub(super) struct Emitter {
    handoff: Box<dyn Handoff>,
    run_id: Arc<str>,
    sequence: u64,
    live: bool,
}

impl Emitter {
    pub(super) fn new(handoff: Box<dyn Handoff>, run_id: Arc<str>, live: bool) -> Self {
        Self { handoff, run_id, sequence: 0, live }
    }

    /// The sequence number of the last event; 0 before the first.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the consumer has room for another event. If not, it wakes this thread once it has.
    pub(super) fn has_room(&mut self) -> Result<bool, Closed> {
        self.handoff.has_room()
    }

    /// Gives an event of this time its place in the stream.
    pub(super) fn place(&mut self, event: &mut Event, time_ns: u64) {
        self.sequence += 1;
        event.event.sequence = Some(self.sequence);
        event.event.id = Some(EventId { run: self.run_id.clone(), sequence: self.sequence });
        if self.live {
            event.capture.lag_ns = Some(boottime_ns().saturating_sub(time_ns));
        }
    }

    /// Hands off an event that has its place. There must be room for it.
    pub(super) fn push(&mut self, event: Box<Event>) {
        self.handoff.push(event);
    }

    /// Hands off the events that gathered: no more come at once.
    pub(super) fn flush(&mut self) {
        self.handoff.flush();
    }
}
