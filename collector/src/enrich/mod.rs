//! A record and what is known of its process → an event.
//!
//! [`Enricher`] owns the process table. It is fed every record, in the order of the kernel, takes each into the table, and
//! answers with the event that the record becomes where somebody wants such events.

mod ancestry;
mod args;
pub(crate) mod capability;
mod census;
pub mod cgroup;
mod community_id;
mod connection;
pub mod container;
mod exit;
#[cfg(test)]
mod faults;
mod found;
pub(crate) mod image;
mod membership;
mod names;
mod parts;
mod process;
pub mod user;

use std::{collections::BTreeSet, rc::Rc, sync::Arc, time::Instant};

use collector_common::{ExecRecord, Fate, NamespaceIds, RecordHeader, TaskIdentity, TaskRecord, TaskState};

pub use self::census::Census;
use self::{
    cgroup::Cgroups,
    image::{Env, Image},
    membership::Membership,
    names::Names,
    parts::{Interned, Parts},
    process::{Fields, Process, Shown},
};
use crate::{
    clock::WallClock,
    decode::{Exec, Record},
    digest::{Candidate, Sighting},
    event::{self, Action, Event, ExecId, Shared},
    filter::Filter,
    known::{Known, Reason},
    machine::Machine,
    process::{KernelTimeNs, Limits, ProcessKey, Table, TableCounters, entity_id},
    procfs::{Proc, ProcessDir, ReadError},
    redact::Redactor,
    text::until_nul,
};

/// What is made of the processes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds of the process table.
    pub table: Limits,
    /// Most ancestors of a record.
    pub ancestors: usize,
    /// Hides secrets.
    pub redactor: Redactor,
    /// The actions that become events; the table learns of all.
    pub actions: BTreeSet<Action>,
    /// For processes that no record tells of.
    pub filter: Filter,
}

/// An event that may yet lack its digests.
#[derive(Debug)]
pub struct Draft {
    /// The event.
    pub event: Box<Event>,
    /// When it happened, in nanoseconds since boot.
    pub time_ns: u64,
    /// The file of the image, where its digests belong on the event.
    pub file: Option<Sighting>,
    /// Where that file may be found.
    pub candidate: Option<Candidate>,
}

/// What of a record begins a process or its new image.
struct Begin<'r> {
    task: &'r TaskIdentity,
    /// The process whose image it has, where it has not made an exec.
    forker: Option<ProcessKey>,
    begun_ns: u64,
    /// [`RecordHeader::cgroups`](collector_common::RecordHeader::cgroups)
    cgroups: u32,
}

impl<'r> Begin<'r> {
    fn of_task(TaskRecord { header, task, .. }: &'r TaskRecord) -> Self {
        Self { task, forker: None, begun_ns: task.state.start_ns, cgroups: header.cgroups }
    }

    fn of_exec(ExecRecord { header, task, .. }: &'r ExecRecord) -> Self {
        Self { task, forker: None, begun_ns: header.time_ns, cgroups: header.cgroups }
    }
}

/// Makes events of records.
pub struct Enricher {
    machine: Machine,
    host: Shared<event::Host>,
    clock: WallClock,
    proc: Arc<Proc>,
    table: Table<Rc<Process>>,
    names: Names,
    parts: Parts,
    cgroups: Option<Cgroups>,
    memberships: Interned<u64, Membership>,
    options: Options,
}

impl Enricher {
    /// With an empty table.
    #[must_use]
    pub fn new(machine: Machine, proc: Arc<Proc>, cgroups: Option<Cgroups>, options: Options) -> Self {
        Self {
            host: machine.shared_host(),
            clock: WallClock::with_offset(machine.wall_offset_ns),
            names: Names::new(machine.mnt_namespace, machine.user_namespace),
            table: Table::new(options.table),
            parts: Parts::default(),
            memberships: Interned::new(cgroup::CAPACITY),
            machine,
            proc,
            cgroups,
            options,
        }
    }

    /// Follows steps of the wall clock up to this moment since boot.
    pub fn follow_clock(&mut self, time_ns: u64) {
        self.clock.follow(time_ns);
    }

    /// What the process table counted.
    #[must_use]
    pub fn table_counters(&self) -> TableCounters {
        self.table.counters()
    }

    /// A record that the agent makes itself, of something that happened at `time_ns`.
    #[must_use]
    pub fn own(&self, action: Action, time_ns: u64) -> Box<Event> {
        Box::new(Event::new(action, self.clock.wall(time_ns), self.host.clone()))
    }

    /// Takes a record into the table and makes its event. `None` where nobody wants it, or it told of nothing new: a
    /// second exit of one process, a process that the start-up scan found and that was known.
    pub fn enrich(&mut self, record: &Record<'_>, now: Instant) -> Option<Draft> {
        match record {
            Record::Fork(fork) => self.fork(fork, now),
            Record::Exec(exec) => self.exec(exec, now),
            Record::Exit(exit) => self.exit(exit, now),
            Record::Connect(connect) => self.connect(connect, now),
            Record::ConnectResult(result) => self.connect_result(result, now),
            Record::Task(task) => self.task(task, now),
        }
    }

    fn wants(&self, action: Action) -> bool {
        self.options.actions.contains(&action)
    }

    /// Whether a record with this head becomes an event; the table learns of it in any case.
    fn tells(&self, action: Action, header: &RecordHeader) -> bool {
        self.wants(action) && Fate::from_wire(header.fate) == Fate::Reported
    }

    fn fork(&mut self, fork: &TaskRecord, now: Instant) -> Option<Draft> {
        let (image, forker) = self.image_at_fork(fork);
        let begin = Begin { forker, ..Begin::of_task(fork) };
        let process = self.insert(&begin, image);
        if !self.tells(Action::Fork, &fork.header) {
            return None;
        }
        let mut draft = self.draft(Action::Fork, fork.header.time_ns);
        self.describe(&mut draft, &Ok(process), &fork.task.state, now);
        Some(draft)
    }

    /// What a new process runs, and the process that it has that from: the one that forked it, which with `CLONE_PARENT` is
    /// not the parent.
    fn image_at_fork(&mut self, fork: &TaskRecord) -> (Rc<Image>, Option<ProcessKey>) {
        let forker = ProcessKey::new(fork.forker_tgid, fork.forker_start_ns);
        let is_gone = |image: &Image| matches!(image.executable, Known::Missing(Reason::Exited));
        let known = self.adopt(forker).ok();
        if let Some(process) = known.as_ref().filter(|process| !is_gone(&process.image)) {
            return (process.image.clone(), Some(forker));
        }
        // No record told of that one, and it had ended when /proc was asked: its child may still show what it runs.
        let own = self.found_in_proc(&fork.task).0;
        match known {
            Some(process) if is_gone(&own) => (process.image.clone(), Some(forker)),
            Some(_) | None => (Rc::new(own), None),
        }
    }

    fn exec(&mut self, exec: &Exec<'_>, now: Instant) -> Option<Draft> {
        let state = &exec.fixed.task.state;
        let (proc, key) = (&self.proc, key_of(state));
        let (image, env) =
            Image::of_exec(exec, &mut || open(proc, key), &self.options.redactor, &mut self.parts);
        let process = self.insert(&Begin::of_exec(exec.fixed), Rc::new(image));
        if !self.tells(Action::Exec, &exec.fixed.header) {
            return None;
        }
        let mut draft = self.draft(Action::Exec, exec.fixed.header.time_ns);
        self.describe(&mut draft, &Ok(process), state, now);
        add_env(&mut draft.event, &env);
        Some(draft)
    }

    /// A process that ran before the agent, or that the table lost sight of.
    fn task(&mut self, found: &TaskRecord, now: Instant) -> Option<Draft> {
        let key = key_of(&found.task.state);
        let known = self.table.get(key).is_some_and(|entry| !entry.process.adopted);
        if known || self.table.has_ended(key) {
            // Its fork was seen, or its end: what the table has is as good, and in the kernel's order.
            return None;
        }
        let (image, env) = self.found_in_proc(&found.task);
        let process = self.insert(&Begin::of_task(found), Rc::new(image));
        if !self.tells(Action::Snapshot, &found.header) {
            return None;
        }
        let mut draft = self.draft(Action::Snapshot, found.header.time_ns);
        self.describe(&mut draft, &Ok(process), &found.task.state, now);
        add_env(&mut draft.event, &env);
        Some(draft)
    }

    fn found_in_proc(&mut self, task: &TaskIdentity) -> (Image, Env) {
        if process::is_kernel(&task.state) {
            return (Image::unknown(Reason::KernelTask), Known::Missing(Reason::KernelTask));
        }
        match open(&self.proc, key_of(&task.state)) {
            Ok(process) => Image::of_running(&process, &self.options.redactor, &mut self.parts),
            Err(error) => {
                let reason = image::reason(error);
                (Image::unknown(reason), Known::Missing(reason))
            }
        }
    }

    /// Puts a process into the table as a fork, an exec or the scan told it, if there is room; the record is told of it in
    /// any case.
    fn insert(&mut self, begin: &Begin<'_>, image: Rc<Image>) -> Rc<Process> {
        let Begin { task, forker, begun_ns, cgroups } = *begin;
        let key = key_of(&task.state);
        // It may have been found in /proc, with its start to the tick: the start that was told first stays.
        self.table.tell_start(key);
        let before = self.table.get(key).map(|entry| &entry.process);
        let entity_id = before.map_or_else(
            || entity_id(self.machine.boot, task.namespaces.pid, key.start, task.vpid),
            |process| process.entity_id,
        );
        let process = Process {
            task: *task,
            image,
            inherited: forker.is_some(),
            adopted: false,
            unread: Vec::new(),
            // For life, as a worker that started one may end, and it has another parent then.
            usermode_helper: before.is_some_and(|process| process.usermode_helper)
                || process::is_usermode_helper(task),
            exec_id: ExecId { entity_id, begun_ns },
            start: before.map_or_else(|| self.clock.wall(key.start.0), |process| process.start),
            comm: process::comm(&task.state.comm).shown().clone(),
            cgroups,
            v1_container: self.v1_container(&task.state, forker, cgroups),
            entity_id,
            shown: Shown::default(),
        };
        let process = Rc::new(process);
        self.table.insert(key, parent_of(&task.state), process.clone());
        process
    }

    fn draft(&self, action: Action, time_ns: u64) -> Draft {
        Draft { event: self.own(action, time_ns), time_ns, file: None, candidate: None }
    }

    /// What is known of the process of a record that tells little of it, or why nothing is; the table learns what the
    /// record tells of it now.
    fn known(&mut self, state: &TaskState) -> Result<Rc<Process>, Reason> {
        let key = key_of(state);
        let process = self.adopt(key)?;
        self.table.set_parent(key, parent_of(state));
        if process.comm.as_bytes() == until_nul(&state.comm) {
            return Ok(process);
        }
        let renamed = Rc::new(process.renamed(process::comm(&state.comm).shown().clone()));
        if let Some(process) = self.table.get_mut(key) {
            *process = renamed.clone();
        }
        Ok(renamed)
    }

    /// Writes `process.*` and `container.*`: what is known of the process, and what the record says of it now.
    fn describe(
        &mut self,
        draft: &mut Draft,
        process: &Result<Rc<Process>, Reason>,
        state: &TaskState,
        now: Instant,
    ) {
        let key = key_of(state);
        let event = &mut draft.event;
        let mut written = event::Process { pid: Some(state.tgid), ..event::Process::default() };
        let mut namespaces = NamespaceIds::default();
        let of_stranger = process.as_ref().err().filter(|_| self.may_be_in_v1(state));
        let of_stranger = of_stranger.map_or(Known::None, |reason| Known::Missing(*reason));
        let v1_container = process.as_ref().map_or(&of_stranger, |process| &process.v1_container);
        (written.cgroup, event.container) = self.cgroup(v1_container, state, &mut event.capture);
        match process {
            Ok(process) => {
                namespaces = process.task.namespaces;
                process.describe(state, &mut self.parts, &mut written, &mut event.capture);
                if !process::is_kernel(state) {
                    let (file, seen_ns) = (process.image.file.value(), process.image.seen_ns);
                    draft.file = file.map(|file| Sighting::new(*file, seen_ns, self.clock.wall(seen_ns)));
                    draft.candidate = Some(candidate(key, process));
                }
            }
            Err(reason) => {
                written.start = Some(self.clock.wall(state.start_ns));
                process::of_stranger(*reason, state, &mut self.parts, &mut written, &mut event.capture);
                if process::is_kernel(state) {
                    // The kernel's own tasks are in the first of each.
                    namespaces.mnt = self.machine.mnt_namespace;
                    namespaces.user = self.machine.user_namespace;
                }
            }
        }
        let known = process.as_ref().ok().map(|process| &process.comm);
        written.comm = known.filter(|comm| comm.as_bytes() == until_nul(&state.comm)).cloned();
        if written.comm.is_none() {
            let comm = process::comm(&state.comm);
            written.comm = Some(comm.shown().clone());
            if let Some(exact) = comm.inexact() {
                Fields { capture: &mut event.capture, inherited: false }
                    .exact("process.comm".to_owned(), exact);
            }
        }
        written.thread.get_or_insert_default().id = Some(state.tid);
        self.add_names(&mut written, key, state, &namespaces, now);
        self.add_ancestry(&mut written, event, key, state);
        event.process = Some(Box::new(written));
    }

    fn add_names(
        &mut self,
        written: &mut event::Process,
        key: ProcessKey,
        state: &TaskState,
        namespaces: &NamespaceIds,
        now: Instant,
    ) {
        let proc = &self.proc;
        let named = self.names.of(now, &state.credentials, namespaces, &mut || open(proc, key));
        written.user = Some(named.user);
        written.real_user = Some(named.real_user);
        written.saved_user = Some(named.saved_user);
        written.group = Some(named.group);
        written.real_group = Some(named.real_group);
        written.saved_group = Some(named.saved_group);
        (written.fs_user, written.fs_group) = (named.fs_user, named.fs_group);
    }

    /// Notes the time: lets go of processes that ended long enough ago.
    pub fn expire(&mut self, time_ns: u64) {
        self.table.expire(KernelTimeNs(time_ns));
    }
}

fn key_of(state: &TaskState) -> ProcessKey {
    ProcessKey::new(state.tgid, state.start_ns)
}

fn parent_of(state: &TaskState) -> ProcessKey {
    ProcessKey::new(state.parent_tgid, state.parent_start_ns)
}

/// Opens /proc of this life of the process.
fn open(proc: &Proc, key: ProcessKey) -> Result<ProcessDir, ReadError> {
    proc.process(key.tgid.0, Some(key.start.to_ticks()))
}

/// Where the file of a process's image may be found.
fn candidate(key: ProcessKey, process: &Process) -> Candidate {
    let parent = parent_of(&process.task.state);
    Candidate {
        tgid: key.tgid.0,
        start: key.start.to_ticks(),
        parent: (parent.tgid.0, parent.start.to_ticks()),
        mnt: process.task.namespaces.mnt,
        path: process.image.executable.value().cloned(),
    }
}

fn add_env(event: &mut Event, env: &Env) {
    let env_vars = Fields { capture: &mut event.capture, inherited: false }.env(env);
    if let Some(process) = &mut event.process {
        process.env_vars = env_vars;
    }
}
