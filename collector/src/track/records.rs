//! What each kind of record changes in the table.

use std::rc::Rc;

use collector_common::{ExitRecord, TaskRecord, TaskState};

use super::{
    image::Image,
    process::{self, TrackedProcess, key_of, open, parent_of},
    subject::Subject,
    tracker::{Begin, Tracker},
    variables::Environment,
};
use crate::{
    decode::Exec,
    fact::Reason,
    process::{KernelTimeNs, ProcessKey},
    text::until_nul,
};

impl Tracker {
    fn subject<'r>(&self, state: &'r TaskState, process: Result<Rc<TrackedProcess>, Reason>) -> Subject<'r> {
        let start = process.as_ref().map_or_else(|_| self.wall(state.start_ns), |process| process.start);
        Subject { key: key_of(state), state, process, start }
    }

    /// A new process.
    pub(crate) fn fork<'r>(&mut self, fork: &'r TaskRecord) -> Subject<'r> {
        let (image, forker) = self.image_at_fork(fork);
        let process = self.insert(Begin { forker, ..Begin::of_task(fork) }, image);
        Subject::known(&fork.task.state, process)
    }

    /// What a new process runs, and the process that it inherits that from: the one that forked it, which with `CLONE_PARENT`
    /// is not the parent.
    fn image_at_fork(&mut self, fork: &TaskRecord) -> (Rc<Image>, Option<ProcessKey>) {
        let forker = ProcessKey::new(fork.forker_tgid, fork.forker_start_ns);
        let known = self.adopt(forker).ok();
        if let Some(process) = known.as_ref().filter(|process| !process.image.is_gone()) {
            return (process.image.clone(), Some(forker));
        }
        // No record described the forker, and it was gone from /proc. Its child may still show what it runs.
        let own = self.image_from_proc(&fork.task).0;
        match known {
            Some(process) if own.is_gone() => (process.image.clone(), Some(forker)),
            Some(_) | None => (own, None),
        }
    }

    /// A new image, and its environment.
    pub(crate) fn exec<'r>(&mut self, exec: &Exec<'r>) -> (Subject<'r>, Environment) {
        let state = &exec.fixed.task.state;
        let (proc, key) = (&self.proc, key_of(state));
        let (image, environment) = self.images.of_exec(exec, &mut || open(proc, key));
        let process = self.insert(Begin::of_exec(exec.fixed), image);
        (Subject::known(state, process), environment)
    }

    /// The end of a process. `None` if its exit record came before: below Linux 6.16 two threads that end at once may both
    /// take themselves for the last.
    pub(crate) fn exit<'r>(&mut self, exit: &'r ExitRecord) -> Option<Subject<'r>> {
        // Before the table notes the end: a process that is read from /proc only now is a zombie, and must not live on.
        let subject = self.observe(&exit.task);
        let reaper = ProcessKey::from_record(exit.reaper_tgid, exit.reaper_start_ns);
        self.table.end(subject.key, KernelTimeNs(exit.header.time_ns), reaper).then_some(subject)
    }

    /// A process that the start-up scan found: it ran before the agent, or the table lost it. `None` if its fork or its end
    /// came before: what the table has is as good, and in the kernel's order.
    pub(crate) fn scanned<'r>(&mut self, record: &'r TaskRecord) -> Option<(Subject<'r>, Environment)> {
        let key = key_of(&record.task.state);
        if self.get(key).is_some_and(|process| !process.is_adopted()) || self.table.has_ended(key) {
            return None;
        }
        let (image, environment) = self.image_from_proc(&record.task);
        let process = self.insert(Begin::of_task(record), image);
        Some((Subject::known(&record.task.state, process), environment))
    }

    /// The process of a record that says little of it. The table takes over the parent and the name.
    pub(crate) fn observe<'r>(&mut self, state: &'r TaskState) -> Subject<'r> {
        let process = self.adopt(key_of(state)).map(|process| self.updated(process, state));
        self.subject(state, process)
    }

    /// The process of a record that has the task as it was some time ago: the table takes over nothing.
    pub(crate) fn recall<'r>(&mut self, state: &'r TaskState) -> Subject<'r> {
        let process = self.adopt(key_of(state));
        self.subject(state, process)
    }

    fn updated(&mut self, process: Rc<TrackedProcess>, state: &TaskState) -> Rc<TrackedProcess> {
        let key = key_of(state);
        self.table.set_parent(key, parent_of(state));
        if process.comm.as_bytes() == until_nul(&state.comm) {
            return process;
        }
        let renamed = Rc::new(process.renamed(process::comm(&state.comm).shown().clone()));
        if let Some(process) = self.table.get_mut(key) {
            *process = renamed.clone();
        }
        renamed
    }
}
