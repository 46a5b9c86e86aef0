//! Where a process comes from: its parent and all above, at the moment of the event.

use std::{borrow::Cow, collections::HashSet, rc::Rc, time::Instant};

use collector_common::TaskState;

use super::{
    Begin, Draft, Enricher, found,
    image::{self, Image},
    open, parent_of,
    process::{Fields, Process},
};
use crate::{
    clock::boottime_ns,
    event::{self, Action, Event, Shared, Timestamp},
    filter::Facts,
    known::{Known, Reason},
    process::{KernelTimeNs, ProcessKey, Tgid},
    procfs::{ProcessDir, StartTicks},
    text::Text,
};

/// What is above the children of a process, from it up, and what there is to say of it.
#[derive(Debug)]
pub(super) struct Above {
    /// `process.ancestors`
    line: Shared<Vec<Shared<event::Ancestor>>>,
    /// Names of fields that are absent, and why.
    missing: Vec<(Cow<'static, str>, Reason)>,
    /// How many there are, where the line does not have them all.
    full: Option<u64>,
    /// Why it does not reach the first process.
    end: Option<Reason>,
}

/// How many ancestors are counted beyond those that are told.
const DEPTH_MAX: usize = 4096;

impl Enricher {
    /// Writes the parent and the ancestors at this moment.
    pub(super) fn add_ancestry(
        &mut self,
        written: &mut event::Process,
        event: &mut Event,
        key: ProcessKey,
        state: &TaskState,
    ) {
        let parent = parent_of(state);
        if parent.is_none() || parent == key {
            return;
        }
        let mut fields = Fields { capture: &mut event.capture, inherited: false };
        // Afterwards it is in the table, if it can be found at all and there is room.
        written.parent = Some(match self.adopt(parent) {
            Ok(known) => fields.parent(parent, &known),
            Err(reason) => {
                let start = (parent.start.0 != 0).then(|| self.clock.wall(parent.start.0));
                fields.strange_parent(parent, start, reason).into()
            }
        });
        let above = self.above(parent);
        let mut fields = Fields { capture: &mut event.capture, inherited: false };
        for (name, reason) in &above.missing {
            fields.missing(name.clone(), *reason);
        }
        if let Some(full) = above.full {
            event.capture.truncated.insert("process.ancestors".into(), full);
        }
        written.ancestors = Some(above.line.clone());
    }

    /// The line from a parent up. It is kept with the parent, and is the same on all its children's events until anything
    /// of it changes.
    fn above(&mut self, parent: ProcessKey) -> Rc<Above> {
        let process = self.table.get(parent).map(|entry| entry.process.clone());
        if let Some(kept) = process.as_ref().and_then(|process| process.shown.above(self.table.lineage())) {
            return kept;
        }
        let above = Rc::new(self.climb(parent));
        // Of one that is longer than is told, the table does not say when its length changes; and one that could not be read
        // may be read the next time.
        let lasts = above.full.is_none() && above.end.is_none_or(|reason| reason == Reason::Exited);
        if let Some(process) = process.filter(|_| lasts) {
            process.shown.keep_above(self.table.lineage(), above.clone());
        }
        above
    }

    /// Follows the parents.
    fn climb(&mut self, parent: ProcessKey) -> Above {
        let (mut line, mut missing, mut full, mut end) = (Vec::new(), Vec::new(), None, None);
        let mut next = Some(parent);
        while let Some(ancestor) = next.filter(|ancestor| !ancestor.is_none()) {
            if line.len() == self.options.ancestors {
                full = u64::try_from(self.depth(ancestor).saturating_add(line.len())).ok();
                break;
            }
            let reason = self.adopt(ancestor).err();
            let Some(process) = self.table.in_line(ancestor) else {
                // Its own parent is not known either.
                line.push(self.strange_ancestor(ancestor).into());
                // Without a reason there was no room for it in the table.
                end = Some(reason.unwrap_or(Reason::Exited));
                break;
            };
            if let Known::Missing(reason) = process.image.executable {
                missing.push((format!("process.ancestors[{}].executable", line.len()).into(), reason));
            }
            line.push(process.as_ancestor(ancestor));
            next = self.table.parent(ancestor);
        }
        missing.extend(end.map(|reason| ("process.ancestors".into(), reason)));
        Above { line: line.into(), missing, full, end }
    }

    /// One that is neither in the table nor in /proc. It may have been gone before anybody could tell when it began.
    fn strange_ancestor(&self, key: ProcessKey) -> event::Ancestor {
        let start = (key.start.0 != 0).then(|| self.clock.wall(key.start.0));
        event::Ancestor { pid: Some(key.tgid.0), start, ..event::Ancestor::default() }
    }

    /// Ancestors from this one up, itself among them.
    fn depth(&mut self, from: ProcessKey) -> usize {
        let mut depth = 0;
        let mut next = Some(from);
        while let Some(ancestor) = next.filter(|ancestor| !ancestor.is_none()) {
            // A table built from lost records may hold a cycle, and a chain may be as long as its maker likes.
            if depth == DEPTH_MAX {
                break;
            }
            depth += 1;
            next = self.table.parent(ancestor);
        }
        depth
    }

    /// The process, from the table or, where that does not know it, from /proc. What is not found is looked for again at
    /// its next event: it is rare, and costs an open that fails.
    pub(super) fn adopt(&mut self, key: ProcessKey) -> Result<Rc<Process>, Reason> {
        if let Some(entry) = self.table.get(key) {
            return Ok(entry.process.clone());
        }
        self.table.tell_start(key);
        if let Some(entry) = self.table.get(key) {
            return Ok(entry.process.clone());
        }
        self.table.count_unknown();
        let (mut task, unread) = open(&self.proc, key)
            .and_then(|process| found::identity(&process, key))
            .map_err(image::reason)?;
        if task.namespaces.pid == 0 && task.vpid == key.tgid.0 {
            // Its namespaces may not be read, but its id is the same in the innermost one: it is the agent's own.
            task.namespaces.pid = self.machine.pid_namespace;
        }
        task.state.parent_start_ns = self.start_of_parent(Tgid(task.state.parent_tgid), key).0;
        let parent = self.table.get(parent_of(&task.state));
        task.parent_flags = parent.map_or(0, |parent| parent.process.task.state.flags);
        let image = self.found_in_proc(&task).0;
        let begin = Begin { task: &task, forker: None, begun_ns: key.start.0, cgroups: 0 };
        let process = self.insert(&begin, Rc::new(image));
        let process = Rc::new(Process { adopted: true, unread, ..(*process).clone() });
        if let Some(kept) = self.table.get_mut(key) {
            *kept = process.clone();
        }
        Ok(process)
    }

    /// When the process began that has this id and is the parent of `child`: to the clock tick where the table does not know
    /// it. The table may have an earlier life of the id too, whose exit was lost.
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

    /// Processes that run since before the agent and that neither a record nor the start-up scan told: a kernel without
    /// iterators, or one that hides some from them. Asked for once the scan's records have been taken in.
    ///
    /// Not those that began later: the scan or a fork record that is still in the ring tells them, with the start to the
    /// nanosecond, and /proc's start in clock ticks would make a second process of them. One that began before the agent
    /// has no fork record to come, since the hooks were attached long after its fork was over.
    pub fn missed_by_scan(&mut self, now: Instant) -> Vec<Draft> {
        let told = self.table.running().filter(|(_, process)| !process.adopted);
        let told: HashSet<Tgid> = told.map(|(key, _)| key.tgid).collect();
        let tgids = self.proc.tgids().unwrap_or_default().into_iter().map(Tgid);
        tgids.filter(|tgid| !told.contains(tgid)).filter_map(|tgid| self.found_by_id(tgid, now)).collect()
    }

    fn found_by_id(&mut self, tgid: Tgid, now: Instant) -> Option<Draft> {
        let process = self.proc.process(tgid.0, None).ok()?;
        if process.start() >= KernelTimeNs(self.machine.started_ns).to_ticks() {
            return None;
        }
        if !process.leads_its_group().ok()? || !process.is_alive().ok()? {
            return None;
        }
        let to_the_tick = ProcessKey { tgid, start: KernelTimeNs::from_ticks(process.start()) };
        if self.table.ended_in_tick(to_the_tick) {
            // Its exit is told a moment before /proc shows a zombie.
            return None;
        }
        // A child may have told the parent's start to the nanosecond, which /proc does not.
        let adopted = self.table.running().find(|(key, _)| key.tgid == tgid).map(|(key, _)| key.start);
        let told = adopted.or_else(|| self.table.named_absent(tgid));
        let told = told.filter(|start| start.to_ticks() == process.start());
        let start = told.unwrap_or(to_the_tick.start);
        let key = ProcessKey { tgid, start };
        let found = self.adopt(key).ok()?;
        if !self.wants(Action::Snapshot) {
            return None;
        }
        let snapshot = self.snapshot(found, now);
        let process = snapshot.event.process.as_deref();
        let left_out = process.is_some_and(|process| self.options.filter.leaves_out(&Facts::of(process)));
        (!left_out).then_some(snapshot)
    }

    /// One process as /proc has it now, for an enricher that takes in no records: with a zombie's and a kernel task's gaps.
    pub fn running(&mut self, process: &ProcessDir, now: Instant) -> Result<Draft, Reason> {
        let start = KernelTimeNs::from_ticks(process.start());
        let found = self.adopt(ProcessKey { tgid: Tgid(process.tgid()), start })?;
        Ok(self.snapshot(found, now))
    }

    fn snapshot(&mut self, found: Rc<Process>, now: Instant) -> Draft {
        let (_, env) = self.found_in_proc(&found.task);
        let mut draft = self.draft(Action::Snapshot, boottime_ns());
        let state = found.task.state;
        self.describe(&mut draft, &Ok(found), &state, now);
        super::add_env(&mut draft.event, &env);
        draft
    }
}

impl Fields<'_> {
    /// `process.parent`. Where its fields came from stands on its own records.
    fn parent(&mut self, key: ProcessKey, process: &Process) -> Shared<event::Parent> {
        let Image { executable, args, .. } = &*process.image;
        if let Some(exact) = executable.value().and_then(Text::inexact) {
            self.exact("process.parent.executable".to_owned(), exact);
        }
        self.of_args("process.parent.args", args);
        self.value("process.parent.args", args);
        self.value("process.parent.executable", executable);
        process.as_parent(key)
    }

    /// Of a parent that is neither in the table nor in /proc. Its start is not known where that was told by its id alone.
    fn strange_parent(&mut self, key: ProcessKey, start: Option<Timestamp>, reason: Reason) -> event::Parent {
        for name in ["entity_id", "exec_id", "comm", "executable", "args"] {
            self.missing(format!("process.parent.{name}"), reason);
        }
        if start.is_none() {
            self.missing("process.parent.start", reason);
        }
        event::Parent { pid: Some(key.tgid.0), start, ..event::Parent::default() }
    }
}
