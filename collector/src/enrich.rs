//! A record and what is known of its process → an event.
//!
//! [`Enricher`] gets every record, in the order of the kernel. The tracker takes it into the process table, and the describer
//! makes the event, if the configuration wants it.

#[cfg(test)]
mod faults;

use std::{collections::BTreeSet, rc::Rc, sync::Arc, time::Instant};

use collector_common::{ConnectRecord, ConnectResultRecord, ExitRecord, Fate, RecordHeader, TaskRecord};

use crate::{
    clock::boottime_ns,
    decode::{Exec, Record},
    describe::{self, Cgroups, Describer, Notes},
    digest::{FileLocator, ObservedFile, Request},
    event::{self, Action, Event, Shared},
    fact::{Reason, nonzero},
    filter::{Facts, Filter},
    machine::Machine,
    process::{ProcessKey, TableCounters, TableLimits, Tgid},
    procfs::{Proc, ProcessDir},
    redact::Redactor,
    track::{Above, Environment, ProcSnapshot, Subject, TrackedProcess, Tracker, is_kernel, parent_of},
};

/// Options of an [`Enricher`].
#[derive(Clone, Debug)]
pub struct EnrichOptions {
    /// Bounds of the process table.
    pub table: TableLimits,
    /// Most ancestors on an event.
    pub ancestors: usize,
    /// Hides secrets.
    pub redactor: Redactor,
    /// The actions that become events. The table learns from all records.
    pub actions: BTreeSet<Action>,
    /// For processes that no record reports. The kernel side filters the records.
    pub filter: Filter,
}

/// An event that may still lack its digests.
#[derive(Debug)]
pub struct Draft {
    /// The event.
    pub event: Box<Event>,
    /// When it happened, in nanoseconds since boot.
    pub time_ns: u64,
    /// The digests that belong on the event; `None` if its process has no image.
    pub digest: Option<Request>,
}

/// Makes events of records. One thread owns it.
pub struct Enricher {
    tracker: Tracker,
    describer: Describer,
    host: Shared<event::Host>,
    page_size: u64,
    ancestors: usize,
    actions: BTreeSet<Action>,
    filter: Filter,
}

impl Enricher {
    /// With an empty process table. `cgroups` is the mount of cgroup version 2, if there is one.
    #[must_use]
    pub fn new(machine: Machine, proc: Arc<Proc>, cgroups: Option<Cgroups>, options: EnrichOptions) -> Self {
        let EnrichOptions { table, ancestors, redactor, actions, filter } = options;
        Self {
            host: machine.shared_host(),
            page_size: machine.page_size,
            describer: Describer::new(&machine, proc.clone(), cgroups),
            tracker: Tracker::new(machine, proc, table, redactor),
            ancestors,
            actions,
            filter,
        }
    }

    /// Sets the time by which cached user names get old. The owner calls it once for each batch of records.
    pub fn set_now(&mut self, now: Instant) {
        self.describer.set_now(now);
    }

    /// Follows steps of the wall clock up to this moment since boot.
    pub fn follow_clock(&mut self, time_ns: u64) {
        self.tracker.follow_clock(time_ns);
    }

    /// Follows a change of the machine's name: later events have the new one.
    pub fn follow_host_name(&mut self) {
        let name = Machine::host_name();
        if self.host.name.as_ref() != Some(&name) {
            self.host = event::Host { name: Some(name), ..(*self.host).clone() }.into();
        }
    }

    /// What the process table counted so far.
    #[must_use]
    pub fn table_counters(&self) -> TableCounters {
        self.tracker.counters()
    }

    /// The /proc that it reads; a [`ProcSnapshot`] is taken of the same.
    #[must_use]
    pub fn proc(&self) -> Arc<Proc> {
        self.tracker.proc().clone()
    }

    /// Removes processes from the table that ended long enough before this moment since boot.
    pub fn expire(&mut self, time_ns: u64) {
        self.tracker.expire(time_ns);
    }

    /// Corrects the table after records were lost. The caller must first have read every record that was in the ring when the
    /// snapshot was complete.
    pub fn reconcile(&mut self, snapshot: &ProcSnapshot) {
        self.tracker.reconcile(snapshot);
    }

    /// An event about the agent itself, of something that happened at `time_ns`.
    #[must_use]
    pub fn own(&self, action: Action, time_ns: u64) -> Box<Event> {
        Box::new(Event::new(action, self.tracker.wall(time_ns), self.host.clone()))
    }

    /// Takes a record into the table and makes its event. `None` if the configuration does not want the event, or the record
    /// has nothing new: a second exit of one process, a process in the start-up scan that was known before.
    pub fn enrich(&mut self, record: &Record<'_>) -> Option<Draft> {
        match record {
            Record::Fork(fork) => self.fork(fork),
            Record::Exec(exec) => self.exec(exec),
            Record::Exit(exit) => self.exit(exit),
            Record::Connect(connect) => self.connect(connect),
            Record::ConnectResult(result) => self.connect_result(result),
            Record::Task(task) => self.scanned(task),
        }
    }

    fn wants(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Whether a record with this header becomes an event. The table learns from it in any case.
    fn emits(&self, action: Action, header: &RecordHeader) -> bool {
        self.wants(action) && Fate::from_wire(header.fate) == Fate::Reported
    }

    fn fork(&mut self, fork: &TaskRecord) -> Option<Draft> {
        let subject = self.tracker.fork(fork);
        self.emits(Action::Fork, &fork.header)
            .then(|| self.draft(Action::Fork, fork.header.time_ns, &subject))
    }

    fn exec(&mut self, exec: &Exec<'_>) -> Option<Draft> {
        let (subject, environment) = self.tracker.exec(exec);
        let header = &exec.fixed.header;
        self.emits(Action::Exec, header)
            .then(|| self.draft_with(Action::Exec, header.time_ns, &subject, &environment))
    }

    fn exit(&mut self, exit: &ExitRecord) -> Option<Draft> {
        let subject = self.tracker.exit(exit)?;
        if !self.emits(Action::Exit, &exit.header) {
            return None;
        }
        let mut draft = self.draft(Action::Exit, exit.header.time_ns, &subject);
        describe::add_exit(&mut draft.event, exit, self.page_size);
        if let Some(digest) = &mut draft.digest {
            digest.lives = false;
        }
        Some(draft)
    }

    /// A process that ran before the agent, or that the table lost.
    fn scanned(&mut self, task: &TaskRecord) -> Option<Draft> {
        let (subject, environment) = self.tracker.scanned(task)?;
        self.emits(Action::Snapshot, &task.header)
            .then(|| self.draft_with(Action::Snapshot, task.header.time_ns, &subject, &environment))
    }

    fn connect(&mut self, connect: &ConnectRecord) -> Option<Draft> {
        let subject = self.tracker.observe(&connect.task);
        if !self.emits(Action::Connect, &connect.header) {
            return None;
        }
        let mut draft = self.draft(Action::Connect, connect.header.time_ns, &subject);
        describe::add_ends(&mut draft.event, &connect.endpoints, connect.cookie, &connect.task);
        Some(draft)
    }

    fn connect_result(&mut self, result: &ConnectResultRecord) -> Option<Draft> {
        if !self.emits(Action::ConnectResult, &result.header) {
            return None;
        }
        // The record has the task as it was at the connect: it has nothing new for the table.
        let subject = self.tracker.recall(&result.task);
        let mut draft = self.draft(Action::ConnectResult, result.header.time_ns, &subject);
        describe::add_ends(&mut draft.event, &result.endpoints, result.cookie, &result.task);
        describe::add_outcome(&mut draft.event, result);
        Some(draft)
    }

    /// Snapshots of processes that run since before the agent and that neither a record nor the start-up scan reported. The
    /// caller must first have read the scan's records.
    pub fn missed_by_scan(&mut self) -> Vec<Draft> {
        let ids = self.tracker.unreported_ids();
        ids.into_iter().filter_map(|tgid| self.missed(tgid)).collect()
    }

    fn missed(&mut self, tgid: Tgid) -> Option<Draft> {
        let process = self.tracker.adopt_unreported(tgid)?;
        if !self.wants(Action::Snapshot) {
            return None;
        }
        let snapshot = self.snapshot(process);
        let process = snapshot.event.process.as_deref();
        let filtered = process.is_some_and(|process| self.filter.leaves_out(&Facts::of(process)));
        (!filtered).then_some(snapshot)
    }

    /// One process as /proc shows it now, for a caller that reads no records. A zombie or a kernel task has gaps.
    pub fn running(&mut self, process: &ProcessDir) -> Result<Draft, Reason> {
        let process = self.tracker.adopt_running(process)?;
        Ok(self.snapshot(process))
    }

    fn snapshot(&mut self, process: Rc<TrackedProcess>) -> Draft {
        let (_, environment) = self.tracker.image_from_proc(&process.task);
        let state = process.task.state;
        let subject = Subject::known(&state, process);
        self.draft_with(Action::Snapshot, boottime_ns(), &subject, &environment)
    }

    fn draft_with(
        &mut self,
        action: Action,
        time_ns: u64,
        subject: &Subject<'_>,
        environment: &Environment,
    ) -> Draft {
        let mut draft = self.draft(action, time_ns, subject);
        describe::add_environment(&mut draft.event, environment);
        draft
    }

    fn draft(&mut self, action: Action, time_ns: u64, subject: &Subject<'_>) -> Draft {
        let mut event = self.own(action, time_ns);
        let mut process = self.describer.process(subject, &mut event);
        self.add_ancestry(subject, &mut process, &mut Notes::new(&mut event.capture));
        event.process = Some(process);
        Draft { event, time_ns, digest: self.digest(subject) }
    }

    /// The request for the digests of the image that a process runs.
    fn digest(&self, subject: &Subject<'_>) -> Option<Request> {
        let process = subject.process.as_ref().ok().filter(|_| !is_kernel(subject.state))?;
        let file = *process.image.file.value()?;
        let seen_ns = process.image.seen_ns;
        let parent = parent_of(&process.task.state);
        let locator = FileLocator {
            tgid: subject.key.tgid.0,
            start: subject.key.start.to_ticks(),
            parent: parent.map(|parent| (parent.tgid.0, parent.start.to_ticks())),
            mnt: nonzero(process.task.namespaces.mnt),
            path: process.image.executable.value().cloned(),
        };
        let file = ObservedFile::new(file, seen_ns, self.tracker.wall(seen_ns));
        Some(Request { file, locator, lives: true })
    }

    /// Adds the parent and the ancestors at this moment.
    fn add_ancestry(&mut self, subject: &Subject<'_>, written: &mut event::Process, notes: &mut Notes<'_>) {
        let Some(parent) = parent_of(subject.state).filter(|parent| *parent != subject.key) else { return };
        // After this the table has it, if it can be found at all and there is room.
        let known = self.tracker.adopt(parent);
        let start = self.tracker.start_if_known(parent);
        written.parent = Some(describe::parent(notes, parent, &known, start));
        describe::add_above(&self.above(parent), written, notes);
    }

    /// The ancestors of all children of a process. They are cached with the process until the chain changes.
    fn above(&mut self, parent: ProcessKey) -> Rc<Above> {
        let process = self.tracker.get(parent).cloned();
        let generation = self.tracker.chain_generation();
        if let Some(cached) = process.as_ref().and_then(|process| process.shown.above(generation)) {
            return cached;
        }
        let chain = self.tracker.climb(parent, self.ancestors);
        let above = Rc::new(describe::above(&chain));
        if let Some(process) = process.filter(|_| chain.is_cacheable()) {
            process.shown.set_above(self.tracker.chain_generation(), above.clone());
        }
        above
    }
}
