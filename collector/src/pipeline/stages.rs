//! The stages of a pipeline, and one step of each.

use std::time::{Duration, Instant};

use super::{
    channel::Closed,
    commands::Commands,
    emitter::Emitter,
    ingest::Ingest,
    limited_log::LimitedLog,
    published_counters::PublishedCounters,
    wait::{self, BATCH, Read},
};
use crate::{source::RecordSource, wake_event::WakeEvent};

/// How often the kernel side's counters are read.
const COUNT_INTERVAL: Duration = Duration::from_millis(250);

/// Where records come from, what makes events of them, and where events go.
pub(super) struct Stages {
    pub(super) source: Box<dyn RecordSource>,
    pub(super) ingest: Ingest,
    pub(super) emitter: Emitter,
    pub(super) commands: Commands,
    wake: WakeEvent,
    published: PublishedCounters,
    counted: Instant,
    unread_counters: LimitedLog,
}

impl Stages {
    pub(super) fn new(
        source: Box<dyn RecordSource>,
        ingest: Ingest,
        emitter: Emitter,
        commands: Commands,
        wake: WakeEvent,
        published: PublishedCounters,
    ) -> Self {
        let (counted, unread_counters) = (Instant::now(), LimitedLog::default());
        Self { source, ingest, emitter, commands, wake, published, counted, unread_counters }
    }

    /// Reads at most a batch of records and emits their events.
    pub(super) fn read(&mut self) -> Result<Read, Closed> {
        self.ingest.set_now(Instant::now());
        let mut read = Read::default();
        while read.records < BATCH && self.ingest.has_room() {
            let Self { source, ingest, .. } = self;
            let found = source.next(&mut |bytes| {
                read.bytes += bytes.len();
                ingest.push_record(bytes);
            });
            if !found {
                break;
            }
            read.records += 1;
            // Each at once: what it was made of is in the nearest cache, and its memory is free for the next.
            self.emit_unflushed()?;
        }
        Ok(read)
    }

    /// Applies commands of other threads, and takes finished digests.
    pub(super) fn collect_digests(&mut self) {
        self.wake.silence();
        if let Some(limits) = self.commands.take_digest_limits() {
            self.ingest.set_digest_limits(limits);
        }
        self.ingest.collect_digests();
    }

    /// Every so often, reads the counters and looks after the table.
    pub(super) fn count_in_time(&mut self, read: Read) {
        if self.counted.elapsed() < COUNT_INTERVAL {
            return;
        }
        self.count();
        self.ingest.follow_host_name();
        self.ingest.begin_proc_snapshot();
        // If more is in the ring, the table is only as far as the last record: those behind it may name what has ended,
        // however long they have been waiting.
        let now_ns = if read.is_full() { self.ingest.last_ns() } else { self.ingest.now_ns() };
        self.ingest.expire(now_ns);
    }

    /// Reads the kernel side's counters, and publishes all.
    pub(super) fn count(&mut self) {
        self.counted = Instant::now();
        match self.source.counters() {
            Ok(counters) => self.ingest.count_kernel(&counters),
            Err(error) => {
                if let Some(unlogged) = self.unread_counters.note(self.counted) {
                    tracing::error!("cannot read the kernel side's counters: {error}{unlogged}");
                }
            }
        }
        self.publish();
    }

    /// Lets other threads read the counters as they are now.
    pub(super) fn publish(&self) {
        self.published.publish(self.ingest.counters());
    }

    /// Emits the events that may leave. Returns whether the consumer has no more room.
    pub(super) fn emit(&mut self) -> Result<bool, Closed> {
        let full = self.emit_unflushed()?;
        if !full {
            self.emitter.flush();
        }
        Ok(full)
    }

    /// The same, without a flush: more events come at once.
    fn emit_unflushed(&mut self) -> Result<bool, Closed> {
        // Room first: an event that has left the queue has its place in the stream.
        while self.emitter.has_room()? {
            // Losses come as soon as they are noticed and there is room; but `agent-start` is first.
            if self.emitter.sequence() > 0 {
                self.ingest.queue_losses();
            }
            let Some((mut event, time_ns)) = self.ingest.pop() else {
                return Ok(false);
            };
            self.emitter.place(&mut event, time_ns);
            self.emitter.push(event);
        }
        Ok(true)
    }

    /// Waits for records, for digests, or for room if the consumer is full; not beyond the next deadline.
    pub(super) fn wait(&self, consumer_is_full: bool) {
        let now = Instant::now();
        let mut until = now + COUNT_INTERVAL;
        // A full consumer wakes this thread when it has room again.
        if let Some(deadline) = self.ingest.deadline().filter(|_| !consumer_is_full) {
            until = until.min(deadline);
        }
        wait::for_records(&self.wake, &*self.source, until.saturating_duration_since(now));
    }

    /// Waits for another thread to wake this one, or for a time.
    pub(super) fn wait_for_wake_up(&self, timeout: Duration) {
        wait::for_wake_up(&self.wake, timeout);
    }

    /// Waits until there is room, however long the consumer needs. For the end of the stream, when nothing else is to do.
    pub(super) fn wait_for_room(&mut self) -> Result<(), Closed> {
        while !self.emitter.has_room()? {
            self.wait_for_wake_up(COUNT_INTERVAL);
            self.wake.silence();
        }
        Ok(())
    }
}
