//! The bounded buffer between the fan-out and the thread of one output, and the count of everything that goes through it.
//!
//! One lock guards all of it, so the counters add up whenever they are read. It is held for a few instructions at a time, by the
//! fan-out for each batch and by the output for each write.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::config::WhenFull;
use crate::batch::Batch;

/// The events of a batch that an output selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) count: u64,
    /// Sequence of the first one.
    pub(super) first: u64,
    /// Sequence of the last one.
    pub(super) last: u64,
}

impl Events {
    /// These and later ones.
    fn and(self, later: Self) -> Self {
        Self { count: self.count + later.count, first: self.first, last: later.last }
    }
}

/// What the output does next.
#[derive(Debug)]
pub(super) enum Next {
    /// Writes the selected events of this batch.
    Batch(Arc<Batch>),
    /// Reports that it lost these events.
    Lost(Events),
    /// Opens its destination again.
    Reopen,
    /// Ends: nothing waits, and nothing will come.
    End,
}

/// How events have fared so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) written: u64,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
}

#[derive(Debug)]
enum Item {
    Batch(Arc<Batch>, Events),
    Lost(Events),
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: u64,
    counts: Counts,
    /// Events that wait in [`Buffer::offer`] for room. They are written, and neither delivered nor dropped yet.
    waiting: u64,
    reopen: bool,
    /// Set when the run is to end: from then on [`WhenFull::Block`] drops new events.
    block_until: Option<Instant>,
    /// Set when the run is to end: until when the output may go on delivering.
    deadline: Option<Instant>,
    /// Nothing more will be offered.
    ended: bool,
    /// The output takes nothing any more.
    closed: bool,
}

/// The buffer.
#[derive(Debug)]
pub(super) struct Buffer {
    capacity: u64,
    when_full: WhenFull,
    state: Mutex<State>,
    /// Something for the output to do.
    news: Condvar,
    /// Room for the fan-out.
    room: Condvar,
}

impl Buffer {
    /// Of this many bytes. One batch always fits, however large.
    pub(super) fn new(capacity: u64, when_full: WhenFull) -> Self {
        Self { capacity, when_full, state: Mutex::default(), news: Condvar::new(), room: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic between two changes leaves counters that still add up: each is changed with what it counts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch in, or drops by the policy. It waits for room only with [`WhenFull::Block`].
    pub(super) fn offer(&self, batch: &Arc<Batch>, events: Events) {
        let size = size(batch);
        let mut state = self.lock();
        state.counts.written += events.count;
        state.waiting = events.count;
        while !state.closed && !self.fits(&state, size) {
            match self.when_full {
                WhenFull::DropOldest => state.drop_oldest(),
                WhenFull::DropNewest => return state.drop_newest(events),
                WhenFull::Block => match state.patience() {
                    Some(Duration::ZERO) => return state.drop_newest(events),
                    Some(left) => {
                        state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                    }
                    None => state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
                },
            }
        }
        state.waiting = 0;
        if state.closed {
            state.counts.dropped += events.count;
            return;
        }
        state.bytes += size;
        state.items.push_back(Item::Batch(batch.clone(), events));
        drop(state);
        self.news.notify_one();
    }

    fn fits(&self, state: &State, size: u64) -> bool {
        state.bytes == 0 || state.bytes + size <= self.capacity
    }

    /// Waits for something to do.
    pub(super) fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            if std::mem::take(&mut state.reopen) {
                return Next::Reopen;
            }
            match state.items.pop_front() {
                Some(Item::Batch(batch, _)) => {
                    state.bytes -= size(&batch);
                    drop(state);
                    self.room.notify_one();
                    return Next::Batch(batch);
                }
                Some(Item::Lost(events)) => return Next::Lost(events),
                None if state.ended || state.closed => return Next::End,
                None => state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Counts events that the destination took.
    pub(super) fn delivered(&self, events: u64) {
        self.lock().counts.delivered += events;
    }

    /// Asks the output to open its destination again.
    pub(super) fn ask_reopen(&self) {
        self.lock().reopen = true;
        self.news.notify_one();
    }

    /// Whether the output was asked to open its destination again; the request is answered with that.
    pub(super) fn take_reopen(&self) -> bool {
        std::mem::take(&mut self.lock().reopen)
    }

    /// Bounds how long [`Buffer::offer`] waits for room.
    pub(super) fn block_until(&self, deadline: Instant) {
        self.lock().block_until = Some(deadline);
        self.room.notify_all();
    }

    /// Bounds how long the output may go on delivering.
    pub(super) fn deliver_until(&self, deadline: Instant) {
        self.lock().deadline = Some(deadline);
    }

    /// Ends the stream: nothing more will be offered.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.news.notify_one();
    }

    /// Until when the output may deliver, if that is bounded.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().deadline
    }

    /// Closes the output for good: all that waits for it is dropped, and all that will be offered.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.items.clear();
        state.bytes = 0;
        let Counts { written, delivered, .. } = state.counts;
        state.counts.dropped = written - delivered - state.waiting;
        drop(state);
        self.room.notify_all();
        self.news.notify_all();
    }

    /// Whether a destination that fails is given up: the stream has ended, or is to end.
    pub(super) fn is_ending(&self) -> bool {
        let state = self.lock();
        state.ended || state.deadline.is_some()
    }

    /// The counts of this moment.
    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }
}

impl State {
    /// How long an offer may still wait; `None` without a bound.
    fn patience(&self) -> Option<Duration> {
        self.block_until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Drops the oldest batch; a loss that was not reported yet takes its events in.
    fn drop_oldest(&mut self) {
        let mut lost: Option<Events> = None;
        while let Some(item) = self.items.pop_front() {
            let (events, is_batch) = match item {
                Item::Lost(events) => (events, false),
                Item::Batch(batch, events) => {
                    self.bytes -= size(&batch);
                    self.counts.dropped += events.count;
                    (events, true)
                }
            };
            lost = Some(lost.map_or(events, |before| before.and(events)));
            if is_batch {
                break;
            }
        }
        if let Some(lost) = lost {
            self.items.push_front(Item::Lost(lost));
        }
    }

    /// Drops events that were never taken in.
    fn drop_newest(&mut self, events: Events) {
        self.waiting = 0;
        self.counts.dropped += events.count;
        if let Some(Item::Lost(before)) = self.items.back_mut() {
            *before = before.and(events);
        } else {
            self.items.push_back(Item::Lost(events));
        }
    }
}

fn size(batch: &Batch) -> u64 {
    batch.json().len().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        thread,
        time::{Duration, Instant},
    };

    use collector_event::{Action, Event, Shared, Timestamp};

    use super::{Buffer, Counts, Events, Next, WhenFull};
    use crate::batch::{Batch, BatchBuilder};

    /// A batch of one event, and what an output that selects everything selects of it.
    fn batch(sequence: u64) -> (Arc<Batch>, Events) {
        let mut event = Event::new(Action::Exec, Timestamp(0), Shared::default());
        event.event.sequence = Some(sequence);
        let mut builder = BatchBuilder::new(false);
        builder.push(Box::new(event));
        (Arc::new(builder.finish().unwrap()), Events { count: 1, first: sequence, last: sequence })
    }

    fn offer(buffer: &Buffer, sequences: impl IntoIterator<Item = u64>) {
        for sequence in sequences {
            let (batch, events) = batch(sequence);
            buffer.offer(&batch, events);
        }
    }

    /// What comes out until the end: sequences of batches, and losses as (count, first, last).
    fn rest(buffer: &Buffer) -> Vec<String> {
        buffer.end();
        let mut items = Vec::new();
        loop {
            match buffer.next() {
                Next::Batch(batch) => {
                    buffer.delivered(1);
                    items.push(batch.last().unwrap().sequence.to_string());
                }
                Next::Lost(Events { count, first, last }) => {
                    items.push(format!("{count} lost, {first} to {last}"));
                }
                Next::Reopen => items.push("reopen".to_owned()),
                Next::End => return items,
            }
        }
    }

    /// Room for two batches.
    fn of_two(when_full: WhenFull) -> Buffer {
        Buffer::new(2 * super::size(&batch(1).0), when_full)
    }

    #[track_caller]
    fn check(buffer: &Buffer, dropped: u64, expected: &[&str]) {
        let items = rest(buffer);
        assert_eq!(items, expected);
        let Counts { written, delivered, dropped: counted } = buffer.counts();
        assert_eq!((counted, written), (dropped, delivered + dropped));
    }

    #[test]
    fn the_oldest_make_room_and_the_loss_stands_before_what_is_left() {
        let buffer = of_two(WhenFull::DropOldest);
        offer(&buffer, 1..=5);
        check(&buffer, 3, &["3 lost, 1 to 3", "4", "5"]);
    }

    #[test]
    fn the_newest_are_dropped_and_the_loss_stands_where_they_would() {
        let buffer = of_two(WhenFull::DropNewest);
        offer(&buffer, 1..=4);
        assert!(matches!(buffer.next(), Next::Batch(_)));
        buffer.delivered(1);
        offer(&buffer, 5..=6);
        check(&buffer, 3, &["2", "2 lost, 3 to 4", "5", "1 lost, 6 to 6"]);
    }

    #[test]
    fn one_batch_fits_however_large_it_is() {
        let buffer = Buffer::new(1, WhenFull::DropNewest);
        offer(&buffer, [1, 2]);
        check(&buffer, 1, &["1", "1 lost, 2 to 2"]);
    }

    #[test]
    fn block_waits_for_room_and_loses_nothing() {
        let buffer = Arc::new(of_two(WhenFull::Block));
        let offering = thread::spawn({
            let buffer = buffer.clone();
            move || offer(&buffer, 1..=20)
        });
        for expected in 1..=20 {
            let Next::Batch(batch) = buffer.next() else { panic!("no batch {expected}") };
            assert_eq!(batch.last().unwrap().sequence, expected);
            buffer.delivered(1);
        }
        offering.join().unwrap();
        check(&buffer, 0, &[]);
    }

    #[test]
    fn block_waits_no_longer_than_the_run_has_time() {
        let buffer = of_two(WhenFull::Block);
        buffer.block_until(Instant::now() + Duration::from_millis(1));
        offer(&buffer, 1..=4);
        check(&buffer, 2, &["1", "2", "2 lost, 3 to 4"]);
    }

    #[test]
    fn a_closed_output_frees_whoever_waits_for_room_and_drops_the_rest() {
        let buffer = Arc::new(of_two(WhenFull::Block));
        let offering = thread::spawn({
            let buffer = buffer.clone();
            move || offer(&buffer, 1..=20)
        });
        while buffer.counts().written < 3 {
            thread::sleep(Duration::from_millis(1));
        }
        buffer.close();
        offering.join().unwrap();
        check(&buffer, 20, &[]);
    }

    #[test]
    fn a_request_to_reopen_comes_first() {
        let buffer = of_two(WhenFull::Block);
        offer(&buffer, [1]);
        buffer.ask_reopen();
        check(&buffer, 0, &["reopen", "1"]);
    }
}
