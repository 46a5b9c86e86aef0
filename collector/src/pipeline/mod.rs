//! The one thread that owns the events: it reads the records, keeps the table through [`Enricher`], and gives the events
//! out in the kernel's order.
//!
//! It never waits for whoever takes the events. Where nobody takes them the queue fills, and then events are lost,
//! counted and told; the ring goes on being read, so the table stays right.

pub mod accounts;
pub mod channel;
pub mod commands;
pub mod handoff;
mod intake;
mod options;
mod queue;
mod reconcile;
mod scan;
mod stopper;
pub mod tally;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::{
    accounts::Accounts, channel::Closed, commands::Commands, handoff::Handoff, intake::Intake, queue::Late,
};
pub use self::{options::Options, stopper::Stopper};
use crate::{
    clock::boottime_ns,
    digest::Digests,
    enrich::Enricher,
    event::{Action, Agent, Event, EventId, Loss, LossReason, OutputCounters},
    filter::Selection,
    process::TableCounters,
    source::{Outcome, OwnedRecord, RecordSource},
};

/// Records that are read before anything else is looked after.
const BATCH: usize = 512;
/// How long records may gather.
const PAUSE: Duration = Duration::from_millis(1);
/// The same where there are many, and the time that it takes to write them is no less.
const LONG_PAUSE: Duration = Duration::from_millis(4);
/// Records of a pause that are many.
const MANY: usize = 24;
/// A read of more than this part of the ring is followed by the next at once: the ring fills faster than that.
const CALM: usize = 16;
/// How often the kernel side's counters are read.
const COUNT_EVERY: Duration = Duration::from_millis(250);
/// How long programs that still run on another CPU are waited for after they were detached.
const SETTLE: Duration = Duration::from_millis(200);
/// Shutdown grace for the outputs to be offered every event before their counters are written.
const OFFERED: Duration = Duration::from_millis(200);

/// What one turn has read.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    records: usize,
    bytes: usize,
}

/// What a pipeline is made of.
pub struct Setup {
    /// Where records come from.
    pub source: Box<dyn RecordSource>,
    /// Makes events of them.
    pub enricher: Enricher,
    /// Computes digests.
    pub digests: Digests,
    /// What is given out.
    pub options: Options,
    /// The events that are written; the others count as filtered. The pipeline ends once the selection is done.
    pub selection: Selection,
    /// Where events go.
    pub handoff: Box<dyn Handoff>,
    /// Ends the pipeline.
    pub stopper: Stopper,
    /// What other threads ask of it.
    pub commands: Commands,
    /// Where it publishes its counters.
    pub accounts: Accounts,
    /// Stands before the sequence in `event.id`.
    pub run_id: Arc<str>,
}

/// The thread's state.
pub struct Pipeline {
    source: Box<dyn RecordSource>,
    intake: Intake,
    handoff: Box<dyn Handoff>,
    stopper: Stopper,
    commands: Commands,
    accounts: Accounts,
    run_id: Arc<str>,
    sequence: u64,
    counted: Instant,
    /// `loss` events in the queue.
    losses_queued: usize,
}

impl Pipeline {
    /// Made, not yet running.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup {
            source,
            enricher,
            digests,
            options,
            selection,
            handoff,
            stopper,
            commands,
            accounts,
            run_id,
        } = setup;
        Self {
            source,
            intake: Intake::new(enricher, digests, options, selection),
            handoff,
            stopper,
            commands,
            accounts,
            run_id,
            sequence: 0,
            counted: Instant::now(),
            losses_queued: 0,
        }
    }

    /// Runs until it is stopped, the source ends, or nobody takes the events any more. Returns how the source ended.
    pub fn run(mut self, agent: Agent, started_ns: u64) -> Outcome {
        self.intake.last_ns = started_ns;
        let began = self.now_ns();
        let mut start = self.intake.enricher.own(Action::AgentStart, began);
        start.agent = Some(Box::new(agent.clone()));
        self.intake.tally.made(Action::AgentStart);
        self.intake.queue.push_ready(start, began);
        if let Err(error) = self.source.scan() {
            tracing::warn!("processes that ran before are not known: {error}");
        }
        if self.read_scan().is_ok() && self.watch().is_ok() && self.drain().is_ok() {
            self.finish(agent);
        }
        self.source.outcome()
    }

    /// Nanoseconds since boot, of this machine or of the one that was recorded.
    fn now_ns(&self) -> u64 {
        if self.intake.options.live { boottime_ns() } else { self.intake.last_ns }
    }

    /// Takes in what ran before: the scan's records, parents before their children, then what else has come into the
    /// ring meanwhile, then the processes that the scan did not tell.
    ///
    /// In the order of the ring a process may come before its parent, since ids wrap around; it would be found in /proc
    /// then, which knows less of it.
    fn read_scan(&mut self) -> Result<(), Closed> {
        if !self.intake.options.live {
            return Ok(());
        }
        let mut records = Vec::new();
        while self.source.next(&mut |bytes| records.push(OwnedRecord::copy(bytes))) {}
        self.intake.set_now(Instant::now());
        for record in scan::parents_first(&mut records) {
            self.intake.take(record.bytes());
            self.give_out()?;
        }
        for record in &records {
            self.intake.take(record.bytes());
            self.give_out()?;
        }
        for draft in self.intake.enricher.missed_by_scan() {
            self.intake.tally.made(Action::Snapshot);
            self.intake.push(Action::Snapshot, Some(draft));
            self.give_out()?;
        }
        Ok(())
    }

    fn watch(&mut self) -> Result<(), Closed> {
        while !self.stopper.is_asked() && !self.source.is_finished() && !self.intake.selection.is_done() {
            let census_over = self.intake.reconciler.is_over();
            let read = self.read()?;
            if census_over && read.records < BATCH {
                self.intake.reconciler.finish(&mut self.intake.enricher);
            }
            self.collect_digests();
            self.count_in_time(&read);
            let full = self.give_out()?;
            if read.records == 0 && !self.source.is_finished() {
                self.wait(full);
            } else if let Some(pause) = self.pause(&read) {
                self.wait_for_bell(pause);
            }
        }
        Ok(())
    }

    /// Reads some records and gives out what becomes of them.
    fn read(&mut self) -> Result<Read, Closed> {
        self.intake.set_now(Instant::now());
        let mut read = Read::default();
        while read.records < BATCH && self.intake.has_room() {
            let Self { source, intake, .. } = self;
            let found = source.next(&mut |bytes| {
                read.bytes += bytes.len();
                intake.take(bytes);
            });
            if !found {
                break;
            }
            read.records += 1;
            // Each at once: what it was made of is in the nearest cache, and is freed to be taken for the next.
            self.give_out_ready()?;
        }
        Ok(read)
    }

    /// How long to let records gather after the ring was read empty, so that the next read takes many of them: to be woken
    /// for each costs more than all that is done with it. The ring is not waited for meanwhile, so the kernel side wakes
    /// nobody. Whoever comes first after a quiet time is read at once.
    fn pause(&self, read: &Read) -> Option<Duration> {
        let Options { live, ring_bytes, .. } = self.intake.options;
        if !live || read.records == 0 || read.records == BATCH || read.bytes > ring_bytes / CALM {
            return None;
        }
        Some(if read.records < MANY { PAUSE } else { LONG_PAUSE })
    }

    fn wait_for_bell(&self, pause: Duration) {
        let mut bell = [PollFd::new(&self.stopper.waker, PollFlags::IN)];
        // Woken for nothing, the ring is read a little earlier.
        let _ = poll(&mut bell, Timespec::try_from(pause).ok().as_ref());
    }

    /// Takes finished digests, and tells those that came too late for their event.
    fn collect_digests(&mut self) {
        self.stopper.waker.silence();
        if let Some(limits) = self.commands.take_digest_limits().filter(|_| self.intake.options.live) {
            self.intake.digests.set_limits(limits);
        }
        self.intake.digests.set_now(Instant::now());
        for computation in self.intake.digests.collect() {
            for Late { process, digest } in self.intake.queue.take_late(computation) {
                let now = self.now_ns();
                let mut event = self.intake.enricher.own(Action::Checksums, now);
                event.process = Some(Box::new(process));
                queue::write(&mut event, &digest.state(), false);
                if !self.intake.options.actions.contains(&Action::Checksums) {
                    continue;
                }
                self.intake.tally.made(Action::Checksums);
                if self.intake.queue.len() >= self.intake.options.queue {
                    self.intake.tally.lost(Some(Action::Checksums), LossReason::QueueFull);
                } else {
                    self.intake.queue.push_ready(event, now);
                }
            }
        }
    }

    fn count_in_time(&mut self, read: &Read) {
        if self.counted.elapsed() >= COUNT_EVERY {
            self.count();
            if self.intake.options.live {
                self.intake.reconciler.note(self.intake.tally.take_unlearnt());
                self.intake.reconciler.begin(&self.intake.enricher);
            }
            // Where more is in the ring, it is as late for the table as for the last record: those behind it may name what
            // has ended, however long they have been waiting.
            let now = if read.records < BATCH { self.now_ns() } else { self.intake.last_ns };
            self.intake.enricher.expire(now);
        }
    }

    fn count(&mut self) {
        self.counted = Instant::now();
        match self.source.counters() {
            Ok(counters) => self.intake.tally.kernel(&counters),
            Err(error) => tracing::error!("the kernel side's counters cannot be read: {error}"),
        }
        self.accounts.publish(self.intake.tally.counters());
    }

    /// Gives out what may leave; answers whether whoever takes it has no more room.
    fn give_out(&mut self) -> Result<bool, Closed> {
        let full = self.give_out_ready()?;
        if !full {
            self.handoff.hand_on();
        }
        Ok(full)
    }

    /// The same, and does not hand on what is taken: there is more to come at once.
    fn give_out_ready(&mut self) -> Result<bool, Closed> {
        // Room first: an event that has left the queue has its place in the stream.
        while self.handoff.has_room()? {
            let Some(event) = self.next() else {
                return Ok(false);
            };
            self.handoff.take(event);
        }
        Ok(true)
    }

    /// The next record of the stream. Losses come as soon as they are known and there is room; but `agent-start` is first.
    fn next(&mut self) -> Option<Box<Event>> {
        if self.sequence > 0 {
            self.queue_losses();
        }
        let (event, time_ns) = self.intake.queue.pop(Instant::now())?;
        Some(self.placed(event, time_ns))
    }

    /// Tells the losses that were not told. While some are on their way the others gather, so that a reader that is slow
    /// for long is told of events and not of losses alone.
    fn queue_losses(&mut self) {
        if self.losses_queued > 0 {
            return;
        }
        for ((action, reason), count) in self.intake.tally.take_untold() {
            self.losses_queued += 1;
            let now = self.now_ns();
            let mut event = self.intake.enricher.own(Action::Loss, now);
            event.loss =
                Some(Loss { reason, count, action, output: None, first_sequence: None, last_sequence: None });
            self.intake.tally.made(Action::Loss);
            self.intake.queue.push_ready(event, now);
        }
    }

    /// Gives an event its place in the stream.
    fn placed(&mut self, mut event: Box<Event>, time_ns: u64) -> Box<Event> {
        self.sequence += 1;
        if event.action() == Action::Loss {
            self.losses_queued -= 1;
        }
        event.event.sequence = Some(self.sequence);
        event.event.id = Some(EventId { run: self.run_id.clone(), sequence: self.sequence });
        if self.intake.options.live {
            event.capture.lag_ns = Some(boottime_ns().saturating_sub(time_ns));
        }
        self.intake.tally.written(event.action());
        event
    }

    fn wait(&self, channel_full: bool) {
        let now = Instant::now();
        let mut until = now + COUNT_EVERY;
        // A full channel wakes this thread when it has room again.
        if let Some(deadline) = self.intake.queue.deadline().filter(|_| !channel_full) {
            until = until.min(deadline);
        }
        let timeout = Timespec::try_from(until.saturating_duration_since(now)).ok();
        let mut fds = vec![PollFd::new(&self.stopper.waker, PollFlags::IN)];
        fds.extend(self.source.readable().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // Woken for nothing, by a signal for instance, the loop goes round once more.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    /// After the programs are detached: reads on until every event that they saw has come out.
    fn drain(&mut self) -> Result<(), Closed> {
        self.source.stop();
        let until = Instant::now() + SETTLE;
        loop {
            let read = self.read()?.records;
            self.collect_digests();
            let full = self.give_out()?;
            if read > 0 {
                continue;
            }
            self.count();
            let settled =
                self.intake.tally.on_their_way() <= u64::try_from(self.intake.queue.len()).unwrap_or(0);
            if settled || Instant::now() >= until {
                return self.empty_queue();
            }
            self.wait(full);
        }
    }

    /// Gives out the rest, however long whoever takes it needs, and waits a while for digests that were promised.
    fn empty_queue(&mut self) -> Result<(), Closed> {
        let until = Instant::now() + self.intake.options.digest_grace;
        loop {
            self.collect_digests();
            self.queue_losses();
            while let Some((event, time_ns)) = self.intake.queue.pop(Instant::now()) {
                let event = self.placed(event, time_ns);
                self.wait_for_room()?;
                self.handoff.take(event);
            }
            self.handoff.hand_on();
            let late = self.intake.queue.late();
            if self.intake.queue.len() == 0 && !self.intake.tally.has_untold() {
                if late == 0 {
                    return Ok(());
                }
                if Instant::now() >= until {
                    tracing::warn!("{late} processes were told without their digests, which take too long");
                    return Ok(());
                }
            }
            self.wait(false);
        }
    }

    fn finish(&mut self, mut agent: Agent) {
        let now = self.now_ns();
        let TableCounters { evicted, unknown, ended_unseen } = self.intake.enricher.table_counters();
        if evicted > 0 {
            tracing::warn!("the process table was full {evicted} times; processes.entries is too small");
        }
        tracing::debug!("{unknown} times a process was looked for in /proc");
        self.intake.tally.ended_unseen(ended_unseen);
        let sequence = self.sequence;
        let stop = self.intake.enricher.own(Action::AgentStop, now);
        self.intake.tally.made(Action::AgentStop);
        let mut stop = self.placed(stop, now);
        let counters = self.intake.tally.counters();
        self.accounts.publish(counters.clone());
        stop.counters = Some(Box::new(counters));
        if let Outcome::Damaged(damage) = self.source.outcome() {
            agent.degraded.insert("recording".to_owned(), damage.to_string());
            stop.agent = Some(Box::new(agent));
        }
        if self.intake.options.live {
            stop.outputs = self.delivery_counters(sequence);
        }
        // If the consumer is gone, nobody misses the event.
        if self.wait_for_room().is_ok() {
            self.handoff.take(stop);
            self.handoff.hand_on();
        }
    }

    /// Waits until there is room, however long the consumer needs. For the end of the stream, when there is nothing else to do.
    fn wait_for_room(&mut self) -> Result<(), Closed> {
        while !self.handoff.has_room()? {
            self.wait_for_bell(COUNT_EVERY);
            self.stopper.waker.silence();
        }
        Ok(())
    }

    /// The counters of the outputs, once each was offered all events up to this sequence; or what they are after a while.
    fn delivery_counters(&self, sequence: u64) -> Vec<OutputCounters> {
        let Some(delivery) = self.commands.take_delivery() else { return Vec::new() };
        let until = Instant::now() + OFFERED;
        while delivery.offered() < sequence && Instant::now() < until {
            self.wait_for_bell(PAUSE);
        }
        delivery.counters()
    }
}
