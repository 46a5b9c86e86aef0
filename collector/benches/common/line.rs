//! From recorded bytes to lines, by the agent's own pipeline: decode, table, enrich, queue, encode. Digests are off, and
//! `/proc` is empty, so that only this path is measured.

use std::{
    collections::BTreeMap,
    hint::black_box,
    io,
    os::fd::BorrowedFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use collector::{
    checksum::Algorithms,
    config::Config,
    decode::decode,
    digest::Digests,
    enrich::Enricher,
    event::{Agent, AgentKind, Event, Host},
    filter::Selection,
    machine::Machine,
    options,
    pipeline::{
        Pipeline, PipelineOptions, Setup, Stopper, channel::Closed, commands::Commands, handoff::Handoff,
        published_counters::PublishedCounters,
    },
    procfs::Proc,
    source::{OwnedRecord, RecordSource},
    stream::{
        batch::BatchBuilder,
        format::{Encoding, Format},
    },
    wake_event::WakeEvent,
};
use collector_common::Counters;

use super::records;

/// The format of a file.
pub(crate) const JSON: Encoding = Encoding { format: Format::Json, colour: false };
/// The format of a terminal.
pub(crate) const COMPACT: Encoding = Encoding { format: Format::Compact, colour: true };

/// A machine that these records could come from.
pub(crate) fn machine() -> Machine {
    Machine {
        host: Host::default(),
        boot: "11111111-2222-4333-8444-555555555555".parse().unwrap(),
        kernel: "6.18.0-made".to_owned(),
        started_ns: 1,
        wall_offset_ns: 1_795_000_000_000_000_000,
        mnt_namespace: 4_026_531_832,
        user_namespace: 4_026_531_837,
        pid_namespace: 4_026_531_836,
        page_size: 4096,
        mixed_cgroups: false,
    }
}

/// An enricher with an empty table and an empty `/proc`.
pub(crate) fn enricher() -> Enricher {
    Enricher::new(machine(), Arc::new(Proc::nowhere()), None, options::enrich(&config()))
}

/// The event of a compiler, with all of its ancestors.
pub(crate) fn an_exec() -> Box<Event> {
    let mut enricher = enricher();
    let mut take = |record: &OwnedRecord| enricher.enrich(&decode(record.bytes()).unwrap());
    for record in &records::above() {
        drop(take(record));
    }
    take(&records::forked(7));
    take(&records::compiler(7)).unwrap().event
}

fn config() -> Config {
    let mut config = Config::default();
    config.checksums.algorithms = Algorithms::NONE;
    config
}

/// Records to be sent through a pipeline.
pub(crate) struct Run {
    pipeline: Pipeline,
    lines: Arc<AtomicUsize>,
}

impl Run {
    /// Sends these records through a new pipeline, and drops its batches.
    pub(crate) fn new(records: Arc<Vec<OwnedRecord>>) -> Self {
        let lines = Arc::new(AtomicUsize::new(0));
        let handoff = Counted { builder: BatchBuilder::new(false), lines: lines.clone() };
        let pipeline = pipeline(records, Box::new(handoff), WakeEvent::new().unwrap());
        Self { pipeline, lines }
    }

    /// Runs to the end; returns the number of lines.
    pub(crate) fn run(self) -> usize {
        run(self.pipeline);
        self.lines.load(Ordering::Relaxed)
    }
}

/// A pipeline that reads these records. `waker` ends its waits.
pub(crate) fn pipeline(
    records: Arc<Vec<OwnedRecord>>,
    handoff: Box<dyn Handoff>,
    waker: WakeEvent,
) -> Pipeline {
    let config = config();
    let proc = Arc::new(Proc::nowhere());
    let digests = Digests::new(options::digest(&config), &proc, &waker);
    let options = PipelineOptions {
        actions: config.actions(),
        queue: config.queue.events,
        ring_bytes: 8 << 20,
        digest_grace: Duration::ZERO,
        live: false,
    };
    Pipeline::new(Setup {
        source: Box::new(Records { records, next: 0 }),
        enricher: enricher(),
        digests,
        options,
        selection: Selection::default(),
        handoff,
        commands: Commands::new(waker.clone()),
        stopper: Stopper::new(waker),
        counters: PublishedCounters::default(),
        run_id: Arc::from("11111111-2222-4333-8444-555555555555:1"),
    })
}

/// Runs a pipeline to its end, on this thread.
pub(crate) fn run(pipeline: Pipeline) {
    let agent = Agent {
        kind: AgentKind::Collector,
        version: "0".into(),
        kernel: None,
        hooks: Vec::new(),
        degraded: BTreeMap::new(),
        filters: Vec::new(),
    };
    pipeline.run(agent, 1);
}

/// Batches as the agent builds them, handed on to no consumer.
struct Counted {
    builder: BatchBuilder,
    lines: Arc<AtomicUsize>,
}

impl Handoff for Counted {
    fn has_room(&mut self) -> Result<bool, Closed> {
        Ok(true)
    }

    fn push(&mut self, event: Box<Event>) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        if self.builder.push(event) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        drop(black_box(self.builder.finish()));
    }
}

/// Records in memory.
struct Records {
    records: Arc<Vec<OwnedRecord>>,
    next: usize,
}

impl RecordSource for Records {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        let record = self.records.get(self.next);
        self.next += 1;
        record.map(|record| take(record.bytes())).is_some()
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn is_finished(&self) -> bool {
        self.next >= self.records.len()
    }

    fn scan(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn stop(&mut self) {}

    fn counters(&mut self) -> io::Result<Counters> {
        Ok(Counters::default())
    }
}
