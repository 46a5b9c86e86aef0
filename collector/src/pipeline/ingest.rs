//! From a record to its event in the queue, or to a count of why there is none.

use std::time::Instant;

use collector_common::{self as common, Fate, Kind};

use super::{
    accounting::{Accounting, action_of},
    limited_log::LimitedLog,
    options::PipelineOptions,
    queue::{LateDigest, Queue, write_digest},
    reconcile::Reconciler,
};
use crate::{
    clock::boottime_ns,
    decode::decode,
    digest::{DigestLimits, Digests},
    enrich::{Draft, Enricher},
    event::{Action, Agent, Counters, Event, Loss},
    filter::Selection,
    process::TableCounters,
};

/// Owns everything between a record and the event that leaves the queue.
pub(super) struct Ingest {
    enricher: Enricher,
    digests: Digests,
    queue: Queue,
    accounting: Accounting,
    reconciler: Reconciler,
    options: PipelineOptions,
    selection: Selection,
    /// Time of the last record: in a replay, that is now.
    last_ns: u64,
    /// The time of the current batch of records.
    now: Instant,
    /// `loss` events in the queue.
    losses_queued: usize,
    broken_records: LimitedLog,
}

impl Ingest {
    pub(super) fn new(
        enricher: Enricher,
        digests: Digests,
        options: PipelineOptions,
        selection: Selection,
    ) -> Self {
        Self {
            enricher,
            digests,
            queue: Queue::default(),
            accounting: Accounting::default(),
            reconciler: Reconciler::default(),
            options,
            selection,
            last_ns: 0,
            now: Instant::now(),
            losses_queued: 0,
            broken_records: LimitedLog::default(),
        }
    }

    /// Queues `agent-start`. The run started at this moment since boot.
    pub(super) fn start(&mut self, agent: Agent, started_ns: u64) {
        self.last_ns = started_ns;
        let now_ns = self.now_ns();
        let mut start = self.own_event(Action::AgentStart, now_ns);
        start.agent = Some(Box::new(agent));
        self.queue.push_ready(start, now_ns);
    }

    pub(super) fn options(&self) -> &PipelineOptions {
        &self.options
    }

    /// Nanoseconds since boot, of this machine or of the one that was recorded.
    pub(super) fn now_ns(&self) -> u64 {
        if self.options.live { boottime_ns() } else { self.last_ns }
    }

    /// Sets the time of a batch of records.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
        self.enricher.set_now(now);
        self.digests.set_now(now);
    }

    /// Whether to read another record: a recording can wait for the consumer, the kernel does not.
    pub(super) fn has_room(&self) -> bool {
        self.options.live || !self.is_full()
    }

    /// Whether the selection wants no more events.
    pub(super) fn is_done(&self) -> bool {
        self.selection.is_done()
    }

    /// Takes one record into the table, and queues its event.
    pub(super) fn push_record(&mut self, bytes: &[u8]) {
        match decode(bytes) {
            Ok(record) => {
                self.last_ns = record.time_ns();
                if self.options.live {
                    self.enricher.follow_clock(self.last_ns);
                }
                let draft = self.enricher.enrich(&record);
                let action = action_of(record.kind());
                if record.fate() == Fate::ByLimit && self.options.actions.contains(&action) {
                    self.accounting.limited(action, 1);
                }
                self.push_draft(action, draft);
                // As many entries go as come, so that malloc reuses their memory for the next record.
                self.enricher.expire(self.last_ns);
            }
            Err(error) => {
                if let Some(unlogged) = self.broken_records.note(self.now) {
                    tracing::error!("{error}{unlogged}");
                }
                self.accounting.broken(Kind::of_record(bytes).map(action_of));
            }
        }
    }

    /// Snapshots of processes that the start-up scan did not report. The scan's records must have been read.
    pub(super) fn missed_by_scan(&mut self) -> Vec<Draft> {
        self.enricher.missed_by_scan()
    }

    /// Queues the snapshot of a process that no record reports.
    pub(super) fn push_snapshot(&mut self, snapshot: Draft) {
        self.accounting.made(Action::Snapshot);
        self.push_draft(Action::Snapshot, Some(snapshot));
    }

    /// Queues the event of a record, if it became one, is selected, and finds room.
    fn push_draft(&mut self, action: Action, draft: Option<Draft>) {
        match draft {
            None => self.accounting.filtered(action),
            Some(draft) if !self.selection.wants(&draft.event) => self.accounting.filtered(action),
            Some(_) if self.is_full() => self.accounting.queue_full(action),
            Some(draft) => self.queue.push(draft, &mut self.digests),
        }
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= self.options.queue
    }

    /// Removes processes from the table that ended long enough before this moment.
    pub(super) fn expire(&mut self, time_ns: u64) {
        self.enricher.expire(time_ns);
    }

    /// The time of the last record, in nanoseconds since boot.
    pub(super) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Changes what is asked of every digest from now on. A replay ignores it.
    pub(super) fn set_digest_limits(&mut self, limits: DigestLimits) {
        if self.options.live {
            self.digests.set_limits(limits);
        }
    }

    /// Takes finished digests, and queues `checksums` events for those that came too late for their event.
    pub(super) fn collect_digests(&mut self) {
        self.digests.set_now(Instant::now());
        for computation in self.digests.collect() {
            for late in self.queue.take_late(computation) {
                self.push_late_digest(late);
            }
        }
    }

    fn push_late_digest(&mut self, late: LateDigest) {
        if !self.options.actions.contains(&Action::Checksums) {
            return;
        }
        let now_ns = self.now_ns();
        let mut event = self.own_event(Action::Checksums, now_ns);
        if self.is_full() {
            self.accounting.queue_full(Action::Checksums);
            return;
        }
        event.process = Some(Box::new(late.process));
        write_digest(&mut event, &late.digest.state(), false);
        self.queue.push_ready(event, now_ns);
    }

    /// Queues a `loss` event for each loss that was not reported. While some of these events are queued the others gather, so
    /// that a consumer that stays slow gets other events too.
    pub(super) fn queue_losses(&mut self) {
        if self.losses_queued > 0 {
            return;
        }
        for ((action, reason), count) in self.accounting.take_unreported() {
            self.losses_queued += 1;
            let now_ns = self.now_ns();
            let mut event = self.own_event(Action::Loss, now_ns);
            event.loss =
                Some(Loss { reason, count, action, output: None, first_sequence: None, last_sequence: None });
            self.queue.push_ready(event, now_ns);
        }
    }

    /// The next event that may leave, with its time. It counts as written.
    pub(super) fn pop(&mut self) -> Option<(Box<Event>, u64)> {
        let (event, time_ns) = self.queue.pop(Instant::now())?;
        if event.action() == Action::Loss {
            self.losses_queued -= 1;
        }
        self.accounting.written(event.action());
        Some((event, time_ns))
    }

    /// When the next event leaves at the latest, where it waits for digests.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.deadline()
    }

    /// Whether neither an event nor an unreported loss is left.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.len() == 0 && !self.accounting.has_unreported()
    }

    /// How many processes were reported without digests that are still being computed.
    pub(super) fn late_digests(&self) -> usize {
        self.queue.late_digests()
    }

    /// Adds what the kernel side counted since the last call.
    pub(super) fn count_kernel(&mut self, counters: &common::Counters) {
        self.accounting.kernel(counters);
    }

    /// Whether every event that the kernel side sent has arrived.
    pub(super) fn is_settled(&self) -> bool {
        self.accounting.in_flight() <= u64::try_from(self.queue.len()).unwrap_or(0)
    }

    pub(super) fn counters(&self) -> Counters {
        self.accounting.counters()
    }

    /// Follows a change of the machine's name. A replay has the name of the machine that was recorded.
    pub(super) fn follow_host_name(&mut self) {
        if self.options.live {
            self.enricher.follow_host_name();
        }
    }

    /// Begins a snapshot of /proc, if the table lost records and it is time. A replay has no /proc to compare with.
    pub(super) fn begin_proc_snapshot(&mut self) {
        if self.options.live {
            self.reconciler.note(self.accounting.take_table_loss());
            self.reconciler.begin(&self.enricher);
        }
    }

    /// Whether a snapshot of /proc is complete. It may be applied once all is read that is in the ring now.
    pub(super) fn has_proc_snapshot(&self) -> bool {
        self.reconciler.is_complete()
    }

    /// Corrects the table by the snapshot of /proc that is complete.
    pub(super) fn apply_proc_snapshot(&mut self) {
        self.reconciler.apply(&mut self.enricher);
    }

    /// Makes `agent-stop`, still without its counters, and logs what the run was short of.
    pub(super) fn stop(&mut self) -> (Box<Event>, u64) {
        let now_ns = self.now_ns();
        let TableCounters { evicted, unknown, ended_unseen } = self.enricher.table_counters();
        if evicted > 0 {
            tracing::warn!("the process table was full {evicted} times; processes.entries is too small");
        }
        tracing::debug!("{unknown} times a process was looked up in /proc");
        let unlogged = self.broken_records.unlogged();
        if unlogged > 0 {
            tracing::error!("{unlogged} more records were broken since the last message");
        }
        self.accounting.ended_unseen(ended_unseen);
        let stop = self.own_event(Action::AgentStop, now_ns);
        self.accounting.written(Action::AgentStop);
        (stop, now_ns)
    }

    /// An event that the agent makes itself. It counts as seen.
    fn own_event(&mut self, action: Action, time_ns: u64) -> Box<Event> {
        self.accounting.made(action);
        self.enricher.own(action, time_ns)
    }
}
