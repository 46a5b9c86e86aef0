//! The agent's own way from a record to an event, with a /proc and a clock that are not the machine's.

use std::sync::Arc;

use collector::{
    config::Config,
    decode::decode,
    enrich::{EnrichOptions, Enricher},
    event::{Action, Event},
    options,
    pipeline::accounting::Accounting,
    process::{KernelTimeNs, TableLimits},
    procfs::Proc,
    source::OwnedRecord,
    track::ProcSnapshot,
};
use collector_common::{Counters, Kind, Loss};

use super::world::Happening;
use crate::common::recording::Recording;

/// How long the table keeps what has ended: some happenings.
pub(crate) const GRACE_NS: u64 = 60_000_000;

/// The stages between the ring and the queue of events.
pub(crate) struct Agent {
    enricher: Enricher,
    accounting: Accounting,
    kernel: Counters,
    census: Option<ProcSnapshot>,
}

impl Agent {
    /// An agent that has no process in its table.
    pub(crate) fn new(proc: &std::path::Path) -> Self {
        let options = EnrichOptions {
            table: TableLimits { entries: 1000, grace_ns: GRACE_NS },
            actions: Action::ALL.iter().copied().collect(),
            ..options::enrich(&Config::default())
        };
        let proc = Arc::new(Proc::at(proc).unwrap());
        let enricher = Enricher::new(Recording::new().machine, proc, None, options);
        Self { enricher, accounting: Accounting::default(), kernel: Counters::default(), census: None }
    }

    /// Takes a record from the ring.
    pub(crate) fn read(&mut self, record: &[u8], now_ns: u64) -> Option<Event> {
        let record = OwnedRecord::copy(record);
        let record = decode(record.bytes()).unwrap();
        let draft = self.enricher.enrich(&record);
        self.enricher.expire(now_ns);
        draft.map(|draft| *draft.event)
    }

    /// Looks for the processes that the scan has no record of.
    pub(crate) fn look_for_the_rest(&mut self) {
        self.enricher.missed_by_scan();
    }

    /// The kernel side counts a loss.
    pub(crate) fn lose(&mut self, happening: &Happening) {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == happening.action.name()).unwrap();
        self.kernel.lost[kind.index()][Loss::RingFull.index()] += 1;
    }

    /// Reads the kernel side's counters; returns whether a snapshot of /proc was begun.
    pub(crate) fn notice(&mut self, now_ns: u64) -> bool {
        self.accounting.kernel(&self.kernel);
        if self.census.is_some() {
            return false;
        }
        if !self.accounting.take_table_loss() {
            return false;
        }
        self.census = ProcSnapshot::take(&self.enricher.proc(), KernelTimeNs(now_ns));
        true
    }

    /// Applies the snapshot, if there is one. Everything that was in the ring has been read.
    pub(crate) fn reconcile(&mut self) -> bool {
        let census = self.census.take();
        if let Some(census) = &census {
            self.enricher.reconcile(census);
        }
        census.is_some()
    }
}
