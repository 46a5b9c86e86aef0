//! The owner of the process table.

use std::{num::NonZeroU32, rc::Rc, sync::Arc};

use collector_common::{ExecRecord, TaskIdentity, TaskRecord};

use super::{
    from_proc::{self, Unread},
    image::Image,
    image_builder::ImageBuilder,
    process::{self, TrackedProcess, is_kernel, key_of, open, parent_of},
    shown::Shown,
    variables::Environment,
};
use crate::{
    clock::WallClock,
    event::Timestamp,
    fact::{Fact, Reason},
    machine::Machine,
    process::{KernelTimeNs, ProcessKey, Table, TableCounters, TableLimits, Tgid, entity_id},
    procfs::{Proc, StartTicks},
    redact::Redactor,
};

/// The process table and all that fills it: the only one that changes it. One thread owns it.
pub(crate) struct Tracker {
    pub(super) table: Table<Rc<TrackedProcess>>,
    pub(super) proc: Arc<Proc>,
    pub(super) machine: Machine,
    pub(super) clock: WallClock,
    pub(super) images: ImageBuilder,
}

/// The start of a process or of its new image.
pub(super) struct Begin<'r> {
    pub(super) task: &'r TaskIdentity,
    /// The process that it inherits the image from; `None` after an exec.
    pub(super) forker: Option<ProcessKey>,
    pub(super) begun_ns: u64,
    /// [`RecordHeader::cgroups`](collector_common::RecordHeader::cgroups)
    pub(super) cgroups: Option<NonZeroU32>,
    /// [`TrackedProcess::unread`]
    pub(super) unread: Option<Unread>,
}

impl<'r> Begin<'r> {
    pub(super) fn of_task(TaskRecord { header, task, .. }: &'r TaskRecord) -> Self {
        let cgroups = NonZeroU32::new(header.cgroups);
        Self { task, forker: None, begun_ns: task.state.start_ns, cgroups, unread: None }
    }

    pub(super) fn of_exec(ExecRecord { header, task, .. }: &'r ExecRecord) -> Self {
        let cgroups = NonZeroU32::new(header.cgroups);
        Self { task, forker: None, begun_ns: header.time_ns, cgroups, unread: None }
    }
}

impl Tracker {
    /// With an empty table.
    pub(crate) fn new(machine: Machine, proc: Arc<Proc>, limits: TableLimits, redactor: Redactor) -> Self {
        Self {
            table: Table::new(limits),
            clock: WallClock::with_offset(machine.wall_offset_ns),
            images: ImageBuilder::new(redactor),
            proc,
            machine,
        }
    }

    /// Follows steps of the wall clock up to this moment since boot.
    pub(crate) fn follow_clock(&mut self, time_ns: u64) {
        self.clock.follow(time_ns);
    }

    /// The wall time of a moment since boot.
    pub(crate) fn wall(&self, time_ns: u64) -> Timestamp {
        self.clock.wall(time_ns)
    }

    /// The /proc that it reads.
    pub(crate) fn proc(&self) -> &Arc<Proc> {
        &self.proc
    }

    /// What the table counted so far.
    pub(crate) fn counters(&self) -> TableCounters {
        self.table.counters()
    }

    /// [`Table::chain_generation`]
    pub(crate) fn chain_generation(&self) -> u64 {
        self.table.chain_generation()
    }

    /// The process, if the table has it.
    pub(crate) fn get(&self, key: ProcessKey) -> Option<&Rc<TrackedProcess>> {
        self.table.get(key).map(|entry| &entry.process)
    }

    /// Removes processes that ended long enough before this moment since boot.
    pub(crate) fn expire(&mut self, time_ns: u64) {
        self.table.expire(KernelTimeNs(time_ns));
    }

    /// Adds a process to the table, if there is room. The caller can describe it in any case.
    pub(super) fn insert(&mut self, begin: Begin<'_>, image: Rc<Image>) -> Rc<TrackedProcess> {
        let Begin { task, forker, begun_ns, cgroups, unread } = begin;
        let key = key_of(&task.state);
        // It may have been read from /proc, with a tick-precise start. The start that was reported first stays.
        self.table.refine_start(key);
        let before = self.get(key);
        let entity_id = before.map_or_else(
            || entity_id(self.machine.boot, task.namespaces.pid, key.start, task.vpid),
            |process| process.entity_id,
        );
        let process = Rc::new(TrackedProcess {
            task: *task,
            image,
            inherited: forker.is_some(),
            unread,
            // It stays one for life: the worker that started it may end, and then it has another parent.
            usermode_helper: before.is_some_and(|process| process.usermode_helper)
                || process::is_usermode_helper(task),
            begun_ns,
            start: before.map_or_else(|| self.clock.wall(key.start.0), |process| process.start),
            comm: process::comm(&task.state.comm).shown().clone(),
            cgroups,
            v1_container: self.v1_container(&task.state, forker, cgroups),
            entity_id,
            shown: Shown::default(),
        });
        self.table.insert(key, parent_of(&task.state), process.clone());
        process
    }

    /// The process, from the table or, if the table does not have it, from /proc. A process that is not found is looked for
    /// again at its next event: that is rare, and costs an open that fails.
    pub(crate) fn adopt(&mut self, key: ProcessKey) -> Result<Rc<TrackedProcess>, Reason> {
        if let Some(process) = self.get(key) {
            return Ok(process.clone());
        }
        self.table.refine_start(key);
        if let Some(process) = self.get(key) {
            return Ok(process.clone());
        }
        self.table.count_unknown();
        let (mut task, unread) =
            open(&self.proc, key).and_then(|process| from_proc::identity(&process, key))?;
        if task.namespaces.pid == 0 && task.vpid == key.tgid.0 {
            // Its namespaces could not be read, but its id is the same in the innermost one: it is the agent's own.
            task.namespaces.pid = self.machine.pid_namespace;
        }
        task.state.parent_start_ns = self.start_of_parent(Tgid(task.state.parent_tgid), key).0;
        let parent = parent_of(&task.state).and_then(|parent| self.get(parent));
        task.parent_flags = parent.map_or(0, |parent| parent.task.state.flags);
        let image = self.image_from_proc(&task).0;
        let begin =
            Begin { task: &task, forker: None, begun_ns: key.start.0, cgroups: None, unread: Some(unread) };
        Ok(self.insert(begin, image))
    }

    /// When the process with this id began that is the parent of `child`; tick-precise if the table does not have it. The
    /// table may also have an earlier life of the id whose exit was lost.
    pub(super) fn start_of_parent(&self, tgid: Tgid, child: ProcessKey) -> KernelTimeNs {
        let is_older = |start: StartTicks| start <= child.start.to_ticks();
        let shown = self.proc.process(tgid.0, None).ok().map(|process| process.start());
        let shown = shown.filter(|start| is_older(*start));
        let known =
            self.table.running().filter(|(key, _)| key.tgid == tgid && is_older(key.start.to_ticks()));
        let mut known = known.map(|(key, _)| key.start);
        match shown {
            Some(ticks) => {
                known.find(|start| start.to_ticks() == ticks).unwrap_or(KernelTimeNs::from_ticks(ticks))
            }
            None => known.max().unwrap_or_default(),
        }
    }

    /// What a process runs by now.
    pub(crate) fn image_from_proc(&mut self, task: &TaskIdentity) -> (Rc<Image>, Environment) {
        if is_kernel(&task.state) {
            return (Image::unknown(Reason::KernelTask), Fact::Missing(Reason::KernelTask));
        }
        match open(&self.proc, key_of(&task.state)) {
            Ok(process) => self.images.of_running(&process),
            Err(error) => {
                let reason = Reason::from(error);
                (Image::unknown(reason), Fact::Missing(reason))
            }
        }
    }
}
