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
