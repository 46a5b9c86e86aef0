//! The one thread that owns the events: it reads the records, keeps the table through [`Enricher`], and emits the events in
//! the kernel's order.
//!
//! It never waits for the consumer. If nobody takes the events, the queue fills, and then events are lost, counted and
//! reported; the ring goes on being read, so the table stays right.

pub mod accounting;
pub mod channel;
pub mod commands;
mod emitter;
pub mod handoff;
mod ingest;
mod limited_log;
mod options;
pub mod published_counters;
mod queue;
mod reconcile;
mod scan;
mod shutdown;
mod stages;
mod stopper;
mod wait;

use std::{sync::Arc, time::Instant};

use self::{
    channel::Closed, commands::Commands, emitter::Emitter, handoff::Handoff, ingest::Ingest,
    published_counters::PublishedCounters, stages::Stages, wait::Read,
};
pub use self::{options::PipelineOptions, stopper::Stopper};
use crate::{
    digest::Digests,
    enrich::Enricher,
    event::Agent,
    filter::Selection,
    source::{Outcome, OwnedRecord, RecordSource},
};

/// What a pipeline is made of.
pub struct Setup {
    /// Where records come from.
    pub source: Box<dyn RecordSource>,
    /// Makes events of them.
    pub enricher: Enricher,
    /// Computes digests.
    pub digests: Digests,
    /// Which events leave the pipeline.
    pub options: PipelineOptions,
    /// The events that are written; the others count as filtered. The pipeline ends once the selection is done.
    pub selection: Selection,
    /// Where events go.
    pub handoff: Box<dyn Handoff>,
    /// Ends the pipeline.
    pub stopper: Stopper,
    /// What other threads ask of it.
    pub commands: Commands,
    /// Where it publishes its counters.
    pub counters: PublishedCounters,
    /// The part of `event.id` before the sequence.
    pub run_id: Arc<str>,
}

/// The state of the thread.
pub struct Pipeline {
    stages: Stages,
    stopper: Stopper,
}

impl Pipeline {
    /// A pipeline that does not run yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup { source, enricher, digests, options, selection, .. } = setup;
        let Setup { handoff, stopper, commands, counters, run_id, .. } = setup;
        let emitter = Emitter::new(handoff, run_id, options.live);
        let ingest = Ingest::new(enricher, digests, options, selection);
        let stages = Stages::new(source, ingest, emitter, commands, stopper.wake.clone(), counters);
        Self { stages, stopper }
    }

    /// Runs until it is stopped, the source ends, or the consumer is gone. Returns how the source ended.
    pub fn run(mut self, agent: Agent, started_ns: u64) -> Outcome {
        self.stages.ingest.start(agent.clone(), started_ns);
        if let Err(error) = self.stages.source.scan() {
            tracing::warn!("processes that ran before are not known: {error}");
        }
        match self.stream() {
            Ok(()) => shutdown::finish(&mut self.stages, agent),
            Err(Closed) => self.stages.publish(),
        }
        self.stages.source.outcome()
    }

    /// Emits everything up to `agent-stop`.
    fn stream(&mut self) -> Result<(), Closed> {
        self.read_scan()?;
        self.watch()?;
        shutdown::drain(&mut self.stages)
    }

    /// Takes in the processes that ran before: the scan's records, parents before their children, then the other records that
    /// came into the ring meanwhile, then the processes that the scan did not report.
    ///
    /// In the order of the ring a process may come before its parent, since ids wrap around. Its parent would then be read
    /// from /proc, which has less than the scan's record.
    fn read_scan(&mut self) -> Result<(), Closed> {
        let stages = &mut self.stages;
        if !stages.ingest.options().live {
            return Ok(());
        }
        let mut records = Vec::new();
        while stages.source.next(&mut |bytes| records.push(OwnedRecord::copy(bytes))) {}
        stages.ingest.set_now(Instant::now());
        let scanned = scan::parents_first(&mut records);
        for record in scanned.iter().chain(&records) {
            stages.ingest.push_record(record.bytes());
            stages.emit()?;
        }
        for snapshot in stages.ingest.missed_by_scan() {
            stages.ingest.push_snapshot(snapshot);
            stages.emit()?;
        }
        Ok(())
    }

    fn watch(&mut self) -> Result<(), Closed> {
        while !self.is_over() {
            let stages = &mut self.stages;
            let has_snapshot = stages.ingest.has_proc_snapshot();
            let read = stages.read()?;
            if has_snapshot && !read.is_full() {
                stages.ingest.apply_proc_snapshot();
            }
            stages.collect_digests();
            stages.count_in_time(read);
            let full = stages.emit()?;
            self.rest(read, full);
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let Stages { source, ingest, .. } = &self.stages;
        self.stopper.is_asked() || source.is_finished() || ingest.is_done()
    }

    /// Waits between two reads, unless there is more to read.
    fn rest(&self, read: Read, consumer_is_full: bool) {
        let Stages { source, ingest, .. } = &self.stages;
        let options = ingest.options();
        if read.records == 0 && !source.is_finished() {
            self.stages.wait(consumer_is_full);
        } else if options.live
            && let Some(pause) = read.pause(options.ring_bytes)
        {
            self.stages.wait_for_wake_up(pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        io,
        os::fd::BorrowedFd,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use super::{
        Pipeline, PipelineOptions, Setup, Stopper, channel::Closed, commands::Commands, handoff::Handoff,
        published_counters::PublishedCounters,
    };
    use crate::{
        config::Config,
        digest::Digests,
        enrich::Enricher,
        event::{Action, Agent, AgentKind, Event, LossReason},
        filter::Selection,
        machine::Machine,
        options,
        procfs::Proc,
        source::RecordSource,
        wake_event::WakeEvent,
    };

    /// Broken records, this many.
    struct Broken(u32);

    impl RecordSource for Broken {
        fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
            let is_left = self.0 > 0;
            if is_left {
                self.0 -= 1;
                take(&[0; 8]);
            }
            is_left
        }

        fn readable(&self) -> Option<BorrowedFd<'_>> {
            None
        }

        fn is_finished(&self) -> bool {
            self.0 == 0
        }

        fn scan(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn stop(&mut self) {}

        fn counters(&mut self) -> io::Result<collector_common::Counters> {
            Ok(collector_common::Counters::default())
        }
    }

    /// Keeps at most this many events; then it is closed.
    #[derive(Clone)]
    struct Kept(Arc<Mutex<Vec<Event>>>, usize);

    impl Handoff for Kept {
        fn has_room(&mut self) -> Result<bool, Closed> {
            if self.0.lock().unwrap().len() < self.1 { Ok(true) } else { Err(Closed) }
        }

        fn push(&mut self, event: Box<Event>) {
            self.0.lock().unwrap().push(*event);
        }

        fn flush(&mut self) {}
    }

    /// Runs a pipeline of broken records whose consumer takes at most `most` events. Returns these and the published counters.
    fn run(broken: u32, most: usize) -> (Vec<Event>, PublishedCounters) {
        let proc = Arc::new(Proc::nowhere());
        let wake = WakeEvent::new().unwrap();
        let config = Config::default();
        let (kept, counters) = (Kept(Arc::default(), most), PublishedCounters::default());
        let setup = Setup {
            source: Box::new(Broken(broken)),
            digests: Digests::new(options::digest(&config), &proc, &wake),
            enricher: Enricher::new(Machine::this(&proc, false), proc, None, options::enrich(&config)),
            options: PipelineOptions {
                actions: config.actions(),
                queue: 100,
                ring_bytes: 1 << 16,
                digest_grace: Duration::ZERO,
                live: false,
            },
            selection: Selection::default(),
            handoff: Box::new(kept.clone()),
            commands: Commands::new(wake.clone()),
            stopper: Stopper::new(wake),
            counters: counters.clone(),
            run_id: Arc::from("run"),
        };
        let agent = Agent {
            kind: AgentKind::Collector,
            version: "0".into(),
            kernel: None,
            hooks: Vec::new(),
            degraded: BTreeMap::new(),
            filters: Vec::new(),
        };
        Pipeline::new(setup).run(agent, 1);
        let events = std::mem::take(&mut *kept.0.lock().unwrap());
        (events, counters)
    }

    #[test]
    fn the_counters_at_the_end_are_those_of_agent_stop() {
        let (events, counters) = run(3, usize::MAX);
        assert_eq!(events.first().map(Event::action), Some(Action::AgentStart));
        let stop = events.last().unwrap();
        assert_eq!(stop.action(), Action::AgentStop);
        assert_eq!(stop.counters.as_deref(), Some(&counters.counters()));
        assert_eq!(counters.counters()["agent-stop"].written, 1);
    }

    #[test]
    fn every_broken_record_is_counted_and_reported_as_lost() {
        let (events, counters) = run(3, usize::MAX);
        let losses = events.iter().filter_map(|event| event.loss.as_ref());
        let broken: u64 =
            losses.filter(|loss| loss.reason == LossReason::Decode).map(|loss| loss.count).sum();
        assert_eq!(broken, 3);
        assert_eq!(counters.counters()["unknown"].lost, 3);
    }

    #[test]
    fn the_counters_are_published_when_the_consumer_is_gone() {
        let (events, counters) = run(0, 1);
        assert_eq!(events.len(), 1);
        assert_eq!(counters.counters()["agent-start"].written, 1);
    }
}
