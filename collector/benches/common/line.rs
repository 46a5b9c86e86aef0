//! Recorded bytes to lines, by the agent's own pipeline: decode, table, enrich, queue, encode. Digests are off, and
//! `/proc` is empty, so that nothing but this is measured.

use std::{
    collections::BTreeMap,
    hint::black_box,
    io,
    os::fd::BorrowedFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use collector::{
    checksum::Algorithms,
    config::Config,
    decode::decode,
    digest::Digests,
    enrich::Enricher,
    event::{Agent, AgentKind, Event, Host},
    machine::Machine,
    options,
    pipeline::{
        Options, Pipeline, Stopper,
        outlet::{Closed, Outlet},
    },
    procfs::Proc,
    source::{OwnedRecord, RecordSource},
    stream::format::{Encoding, Format, encode},
    wake_event::WakeEvent,
};
use collector_common::Counters;

use super::records;

/// As the agent writes it to a file.
pub(crate) const JSON: Encoding = Encoding { format: Format::Json, colour: false };
/// As the agent writes it to a terminal.
pub(crate) const COMPACT: Encoding = Encoding { format: Format::Compact, colour: true };

/// A machine that these records might be of.
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

/// An enricher that knows nothing yet and finds nothing in `/proc`.
pub(crate) fn enricher() -> Enricher {
    Enricher::new(machine(), Arc::new(Proc::nowhere()), None, options::enrich(&config()))
}

/// The event of a compiler, with all of its ancestors.
pub(crate) fn an_exec() -> Box<Event> {
    let mut enricher = enricher();
    let mut take = |record: &OwnedRecord| enricher.enrich(&decode(record.bytes()).unwrap(), Instant::now());
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

/// Records that are to be sent through a pipeline.
pub(crate) struct Run {
    pipeline: Pipeline,
    lines: Arc<AtomicUsize>,
}

impl Run {
    /// These records, through a pipeline that has seen none.
    pub(crate) fn new(records: Arc<Vec<OwnedRecord>>) -> Self {
        let config = config();
        let proc = Arc::new(Proc::nowhere());
        let waker = WakeEvent::new().unwrap();
        let digests = Digests::new(options::digest(&config), &proc, &waker);
        let options = Options {
            actions: config.actions(),
            queue: config.queue.events,
            ring_bytes: 8 << 20,
            live: false,
        };
        let lines = Arc::new(AtomicUsize::new(0));
        let outlet = Counted { buffer: Vec::with_capacity(256 << 10), lines: lines.clone() };
        let source = Records { records, next: 0 };
        let pipeline = Pipeline::new(
            Box::new(source),
            enricher(),
            digests,
            options,
            Box::new(outlet),
            Stopper::new(waker),
            Arc::from("11111111-2222-4333-8444-555555555555:1"),
        );
        Self { pipeline, lines }
    }

    /// To the end; answers with the lines that there were.
    pub(crate) fn run(self) -> usize {
        let agent = Agent {
            kind: AgentKind::Collector,
            version: "0".into(),
            kernel: None,
            hooks: Vec::new(),
            degraded: BTreeMap::new(),
            filters: Vec::new(),
        };
        self.pipeline.run(agent, 1);
        self.lines.load(Ordering::Relaxed)
    }
}

/// A JSON line of each event, as the agent's own outlet writes it, but handed on to nobody.
struct Counted {
    buffer: Vec<u8>,
    lines: Arc<AtomicUsize>,
}

impl Outlet for Counted {
    fn has_room(&mut self) -> Result<bool, Closed> {
        Ok(true)
    }

    fn take(&mut self, event: Box<Event>) {
        encode(&event, JSON, &mut self.buffer);
        self.lines.fetch_add(1, Ordering::Relaxed);
        if self.buffer.len() >= 128 << 10 {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        black_box(&self.buffer);
        self.buffer.clear();
    }

    fn wait_for_room(&mut self) -> Result<(), Closed> {
        Ok(())
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
