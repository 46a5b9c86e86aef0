//! Where events leave the agent's thread: each for itself, or in encoded batches. Nothing here blocks: that thread has the
//! ring to read.

use super::channel::{Closed, Slots};
use crate::{
    event::Event,
    stream::batch::{Batch, BatchBuilder},
};

/// Takes the events of a stream, in their order, on the agent's thread. It never blocks.
pub trait Handoff: Send {
    /// Whether there is room for another event. If not, the consumer wakes the thread once there is. Fails once the consumer
    /// is gone.
    fn has_room(&mut self) -> Result<bool, Closed>;

    /// Takes an event. The caller has checked that there is room; otherwise the event may be dropped.
    fn push(&mut self, event: Box<Event>);

    /// Passes on the events that gathered: no more come at once.
    fn flush(&mut self);
}

/// Each event in a slot of its own.
#[derive(Debug)]
pub struct Events(Slots<Event>);

impl Events {
    /// A handoff into this channel.
    #[must_use]
    pub fn new(slots: Slots<Event>) -> Self {
        Self(slots)
    }
}

impl Handoff for Events {
    fn has_room(&mut self) -> Result<bool, Closed> {
        self.0.reserve()
    }

    fn push(&mut self, event: Box<Event>) {
        self.0.send(*event);
    }

    fn flush(&mut self) {}
}

/// Many events in each slot, encoded where they are made.
#[derive(Debug)]
pub struct Batches {
    slots: Slots<Batch>,
    builder: BatchBuilder,
}

impl Batches {
    /// A handoff into this channel.
    #[must_use]
    pub fn new(slots: Slots<Batch>, builder: BatchBuilder) -> Self {
        Self { slots, builder }
    }
}

impl Handoff for Batches {
    fn has_room(&mut self) -> Result<bool, Closed> {
        self.slots.reserve()
    }

    fn push(&mut self, event: Box<Event>) {
        if self.builder.push(event) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(batch) = self.builder.finish() {
            self.slots.send(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::{Batches, Events, Handoff};
    use crate::{
        event::{Action, Event, Shared, Timestamp},
        pipeline::channel::{Items, channel},
        stream::batch::BatchBuilder,
        wake_event::WakeEvent,
    };

    fn event() -> Box<Event> {
        Box::new(Event::new(Action::Exec, Timestamp(0), Shared::default()))
    }

    fn take<T>(items: &mut Items<T>) -> Option<T> {
        match items.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        }
    }

    #[test]
    fn each_event_takes_a_slot() {
        let (slots, mut events) = channel(1, WakeEvent::new().unwrap());
        let mut handoff = Events::new(slots);
        assert!(handoff.has_room().unwrap());
        handoff.push(event());
        assert!(!handoff.has_room().unwrap());
        assert_eq!(take(&mut events).unwrap(), *event());
        assert!(handoff.has_room().unwrap());
        drop(events);
        assert!(handoff.has_room().is_err());
    }

    #[test]
    fn a_batch_takes_one_slot_however_many_events_it_has() {
        let (slots, mut batches) = channel(1, WakeEvent::new().unwrap());
        let mut handoff = Batches::new(slots, BatchBuilder::new(false));
        for _ in 0..2 {
            assert!(handoff.has_room().unwrap(), "events gather in one slot");
            handoff.push(event());
        }
        assert!(take(&mut batches).is_none());
        handoff.flush();
        assert!(!handoff.has_room().unwrap());
        assert_eq!(take(&mut batches).unwrap().len(), 2);
    }
}
