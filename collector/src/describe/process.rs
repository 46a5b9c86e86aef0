//! `process.*`, except names, cgroups and ancestry.

use collector_common::{NamespaceIds, TaskIdentity, TaskState};

use super::{
    interner::{Interner, char_device},
    notes::Notes,
};
use crate::{
    event::{self, Event, ExecId},
    fact::{Fact, Reason},
    procfs::Namespace,
    text::until_nul,
    track::{Environment, Image, TrackedProcess, comm, is_kernel},
};

/// A login uid or an audit session that was never set, a session or a process group that could not be read.
const UNSET: u32 = u32::MAX;

/// The fields of an image. `name`, `args_count` and `command_line` are absent with those that they are made of; only a script
/// has a `script`; the environment is on an exec and a snapshot alone.
const OF_IMAGE: [&str; 5] =
    ["process.executable", "process.exe", "process.args", "process.working_directory", "process.hash"];

/// Writes the process of one record.
pub(super) struct ProcessWriter<'a> {
    /// What the record says of it.
    pub state: &'a TaskState,
    /// Parts that many events share.
    pub interner: &'a mut Interner,
    /// `process.*`
    pub written: &'a mut event::Process,
    /// `capture.*`
    pub notes: Notes<'a>,
}

impl ProcessWriter<'_> {
    /// A process that the table does not have.
    pub(super) fn unknown(&mut self, reason: Reason) {
        self.state();
        self.written.namespaces = Some(self.interner.namespaces(&NamespaceIds::default(), self.state));
        for name in ["process.entity_id", "process.exec_id", "process.namespaces"] {
            self.notes.missing(name, reason);
        }
        if is_kernel(self.state) {
            return self.kernel_task();
        }
        for name in OF_IMAGE {
            self.notes.missing(name, reason);
        }
    }

    /// A process that the table knows.
    pub(super) fn tracked(&mut self, process: &TrackedProcess) {
        self.written.entity_id = Some(process.entity_id);
        self.written.exec_id = Some(exec_id(process));
        self.identity(&process.task);
        for (namespace, reason) in process.unread.iter().flatten() {
            // The record may have that one.
            if *namespace != Namespace::Net || self.state.net_namespace == 0 {
                self.notes.missing(format!("process.namespaces.{}", namespace.kind()), *reason);
            }
        }
        self.written.usermode_helper = process.usermode_helper.then_some(true);
        if is_kernel(self.state) {
            return self.kernel_task();
        }
        self.image(&process.image, process.inherited);
        if let Fact::Missing(reason) = &process.image.file {
            self.notes.missing("process.hash", *reason);
        }
    }

    /// What the kernel side sent of a task, and what an exec does not change.
    fn identity(&mut self, task: &TaskIdentity) {
        let written = &mut *self.written;
        written.vpid = (task.vpid != task.state.tgid).then_some(task.vpid);
        written.namespaces = Some(self.interner.namespaces(&task.namespaces, self.state));
        let (login_uid, session) = (set(task.login_uid), set(task.audit_session));
        written.audit =
            (login_uid.is_some() || session.is_some()).then_some(event::Audit { login_uid, session });
        self.state();
    }

    /// What every record says of a task.
    fn state(&mut self) {
        let (written, state) = (&mut *self.written, self.state);
        written.tty = (state.tty != 0).then(|| event::Tty { char_device: Some(char_device(state.tty)) });
        written.session_leader = set(state.session).map(|pid| event::Leader { pid });
        written.group_leader = set(state.pgrp).map(|pid| event::Leader { pid });
        let capabilities = Some(self.interner.capabilities(state));
        written.thread = Some(event::Thread { id: Some(state.tid), capabilities });
    }

    /// Everything of the image but its digests.
    fn image(&mut self, image: &Image, inherited: bool) {
        let (written, interner) = (&mut *self.written, &mut *self.interner);
        let mut notes = self.notes.inherited(inherited);
        written.executable = notes.text("process.executable", &image.executable);
        written.name.clone_from(&image.name);
        let memfd = image.is_memfd();
        written.exe = notes.take("process.exe", &image.file, |file| interner.exe(file, memfd));
        written.script = notes.text("process.script", &image.script);
        written.working_directory = notes.text("process.working_directory", &image.cwd);
        notes.args("process.args", &image.args);
        written.args = notes.take("process.args", &image.args, |args| args.shown.clone());
        written.args_count = written.args.as_ref().and_then(|args| u64::try_from(args.len()).ok());
        written.command_line = image.args.value().map(|args| args.command_line.clone());
    }

    /// A kernel task has nothing of what user memory would show.
    fn kernel_task(&mut self) {
        self.written.is_kernel = Some(true);
        for name in OF_IMAGE {
            self.notes.missing(name, Reason::KernelTask);
        }
    }

    /// The name in the record, shared with the table where it has the same.
    pub(super) fn comm(&mut self, process: Option<&TrackedProcess>) {
        let known = process.map(|process| &process.comm);
        if let Some(known) = known.filter(|known| known.as_bytes() == until_nul(&self.state.comm)) {
            self.written.comm = Some(known.clone());
            return;
        }
        let comm = comm(&self.state.comm);
        self.notes.exact_text("process.comm", &comm);
        self.written.comm = Some(comm.shown().clone());
    }
}

/// `process.exec_id`
pub(super) fn exec_id(process: &TrackedProcess) -> ExecId {
    ExecId { entity_id: process.entity_id, begun_ns: process.begun_ns }
}

/// Adds `process.env_vars` to an exec or a snapshot.
pub(crate) fn add_environment(event: &mut Event, environment: &Environment) {
    let Some(process) = &mut event.process else { return };
    let mut notes = Notes::new(&mut event.capture);
    if let Some(variables) = environment.value() {
        notes.list("process.env_vars", &variables.inexact, &variables.redacted);
    }
    process.env_vars = notes.take("process.env_vars", environment, |variables| variables.shown.clone());
}

/// A number that was set and could be read.
fn set(number: u32) -> Option<u32> {
    (number != UNSET).then_some(number)
}
