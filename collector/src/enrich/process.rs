//! What the table keeps of a process, and how its fields are written.

use std::{
    borrow::Cow,
    cell::{OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use collector_common::{NamespaceIds, PF_KTHREAD, TaskIdentity, TaskState};

use super::{
    ancestry::Above,
    args::Args,
    found::Unread,
    image::{Env, Image},
    parts::Parts,
};
use crate::{
    event::{self, Capture, EntityId, ExecId, Shared, Strings, Timestamp},
    known::{Known, Origin, Reason},
    process::ProcessKey,
    procfs::Namespace,
    text::{Text, until_nul},
};

/// `MINORBITS` of the kernel's device numbers.
const MINOR_BITS: u32 = 20;
/// A login uid or an audit session that was never set, a session or a process group that could not be read.
const UNSET: u32 = u32::MAX;

/// The fields that an image has, but for its environment, which is on an exec and a snapshot alone. `name`, `args_count` and
/// `command_line` are made of them and absent with them; `script` is of scripts alone.
const OF_IMAGE: [&str; 5] =
    ["process.executable", "process.exe", "process.args", "process.working_directory", "process.hash"];

/// A process, as the table keeps it.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// What the kernel side told of it at its fork, exec or in the start-up scan.
    pub task: TaskIdentity,
    /// What it runs; shared with the parent until its own exec.
    pub image: Rc<Image>,
    /// Whether the image is the parent's.
    pub inherited: bool,
    /// Whether it was found in /proc, which tells less than a record.
    pub adopted: bool,
    /// What of it /proc did not tell.
    pub unread: Unread,
    /// Whether the kernel itself started it.
    pub usermode_helper: bool,
    /// CPID.
    pub entity_id: EntityId,
    /// The CPID and when its image was started.
    pub exec_id: ExecId,
    /// Its start in wall time.
    pub start: Timestamp,
    /// Names its cgroups of all hierarchies, as the record did; 0 where nothing told them.
    pub cgroups: u32,
    /// Its container, where version 1 cgroups alone tell it.
    pub v1_container: Known<event::Container>,
    /// Its name, as the last record told it.
    pub comm: Arc<str>,
    /// As it is shown on the events of those below it.
    pub shown: Shown,
}

/// A process on the events of its children and of theirs; made when the first of them needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    parent: OnceCell<Shared<event::Parent>>,
    ancestor: OnceCell<Shared<event::Ancestor>>,
    /// The line from it up, and [`Table::lineage`](crate::process::Table::lineage) of then.
    above: RefCell<Option<(u64, Rc<Above>)>>,
}

impl Shown {
    /// The line from it up, if it was kept and nothing of it has changed.
    pub(super) fn above(&self, lineage: u64) -> Option<Rc<Above>> {
        let kept = self.above.borrow();
        kept.as_ref().filter(|(then, _)| *then == lineage).map(|(_, above)| above.clone())
    }

    /// Keeps the line.
    pub(super) fn keep_above(&self, lineage: u64, above: Rc<Above>) {
        *self.above.borrow_mut() = Some((lineage, above));
    }
}

impl Process {
    /// Writes all that is known of it but its cgroup, its names and its ancestry. `state` is what the record says of it.
    pub(super) fn describe(
        &self,
        state: &TaskState,
        parts: &mut Parts,
        written: &mut event::Process,
        capture: &mut Capture,
    ) {
        let mut fields = Fields { capture, inherited: self.inherited };
        written.entity_id = Some(self.entity_id);
        written.exec_id = Some(self.exec_id);
        written.start = Some(self.start);
        identity(&self.task, state, parts, written);
        for (namespace, reason) in &self.unread {
            // The record may tell that one.
            if *namespace != Namespace::Net || state.net_namespace == 0 {
                fields.missing(format!("process.namespaces.{}", namespace.kind()), *reason);
            }
        }
        written.usermode_helper = self.usermode_helper.then_some(true);
        if is_kernel(state) {
            of_kernel_task(&mut fields, written);
            return;
        }
        fields.image(&self.image, parts, written);
        if let Known::Missing(reason) = &self.image.file {
            fields.missing("process.hash", *reason);
        }
    }

    /// The same process after it was given another name.
    pub(super) fn renamed(&self, comm: Arc<str>) -> Self {
        Self { comm, shown: Shown::default(), ..self.clone() }
    }

    /// The same process with another image.
    pub(super) fn with_image(&self, image: Rc<Image>, exec_id: ExecId) -> Self {
        Self { image, exec_id, inherited: false, shown: Shown::default(), ..self.clone() }
    }

    /// `process.parent` of its children.
    pub(super) fn as_parent(&self, key: ProcessKey) -> Shared<event::Parent> {
        let make = || event::Parent {
            pid: Some(key.tgid.0),
            entity_id: Some(self.entity_id),
            exec_id: Some(self.exec_id),
            name: self.image.name.clone(),
            comm: Some(self.comm.clone()),
            executable: self.executable(),
            args: self.image.args.value().map(|args| args.shown.clone()),
            start: Some(self.start),
        };
        self.shown.parent.get_or_init(|| make().into()).clone()
    }

    /// One of `process.ancestors` of those below it.
    pub(super) fn as_ancestor(&self, key: ProcessKey) -> Shared<event::Ancestor> {
        let make = || event::Ancestor {
            pid: Some(key.tgid.0),
            entity_id: Some(self.entity_id),
            comm: Some(self.comm.clone()),
            executable: self.executable(),
            start: Some(self.start),
        };
        self.shown.ancestor.get_or_init(|| make().into()).clone()
    }

    fn executable(&self) -> Option<Arc<str>> {
        self.image.executable.value().map(|path| path.shown().clone())
    }
}

/// Whether a task is the kernel's own: told by its flag alone. An empty maps file does not tell, as a zombie has one too.
pub(crate) fn is_kernel(state: &TaskState) -> bool {
    state.flags & PF_KTHREAD != 0
}

/// Whether the kernel itself started this program, for a core dump, a key or a module: `call_usermodehelper` makes it a child
/// of a kernel thread, and no process can get itself such a parent. Pid 1 is not one: it has no parent.
pub(crate) fn is_usermode_helper(task: &TaskIdentity) -> bool {
    let of_kernel_thread = task.state.parent_tgid != 0 && task.parent_flags & PF_KTHREAD != 0;
    of_kernel_thread && !is_kernel(&task.state)
}

/// Notes what is not known of a process that is neither in the table nor in /proc.
pub(crate) fn of_stranger(
    reason: Reason,
    state: &TaskState,
    parts: &mut Parts,
    written: &mut event::Process,
    capture: &mut Capture,
) {
    let mut fields = Fields { capture, inherited: false };
    of_state(state, parts, written);
    written.namespaces = Some(parts.namespaces(&NamespaceIds::default(), state));
    for name in ["process.entity_id", "process.exec_id", "process.namespaces"] {
        fields.missing(name, reason);
    }
    if is_kernel(state) {
        return of_kernel_task(&mut fields, written);
    }
    for name in OF_IMAGE {
        fields.missing(name, reason);
    }
}

/// The kernel's name of a task, as text.
pub(super) fn comm(bytes: &[u8]) -> Text {
    Text::new(until_nul(bytes))
}

/// Writes fields of one record, and what there is to say of each into `capture`.
pub(super) struct Fields<'a> {
    /// The record's `capture`.
    pub capture: &'a mut Capture,
    /// Whether the image's fields are the parent's.
    pub inherited: bool,
}

impl Fields<'_> {
    /// The value of a field, or the note why there is none.
    pub(super) fn take<T, U>(
        &mut self,
        name: &'static str,
        known: &Known<T>,
        write: impl FnOnce(&T) -> U,
    ) -> Option<U> {
        if let Known::Value { origin, .. } = known {
            let origin = if self.inherited { Origin::Parent } else { *origin };
            if let Some(origin) = written(origin) {
                self.capture.origin.insert(name.into(), origin);
            }
        }
        self.value(name, known).map(write)
    }

    /// The value of a field of which only one origin is likely, or the note why there is none.
    pub(super) fn value<'k, T>(&mut self, name: &'static str, known: &'k Known<T>) -> Option<&'k T> {
        match known {
            Known::Value { value, full, .. } => {
                if let Some(full) = full {
                    self.capture.truncated.insert(name.into(), *full);
                }
                Some(value)
            }
            Known::Missing(reason) => {
                self.missing(name, *reason);
                None
            }
            Known::None => None,
        }
    }

    /// Notes why a field is absent.
    pub(super) fn missing(&mut self, name: impl Into<Cow<'static, str>>, reason: Reason) {
        self.capture.missing.insert(name.into(), event::Reason(reason.name()));
    }

    /// A text, with its exact bytes where it is no UTF-8.
    pub(super) fn text(&mut self, name: &'static str, known: &Known<Text>) -> Option<Arc<str>> {
        if let Some(exact) = known.value().and_then(Text::inexact) {
            self.exact(name.to_owned(), exact);
        }
        self.take(name, known, |text| text.shown().clone())
    }

    /// Keeps the exact bytes of a value that is shown otherwise.
    pub(super) fn exact(&mut self, path: String, bytes: &[u8]) {
        self.capture.bytes.insert(path, BASE64_STANDARD.encode(bytes));
    }

    /// The environment of an exec.
    pub(super) fn env(&mut self, env: &Env) -> Option<Shared<Strings>> {
        if let Some(variables) = env.value() {
            self.of_list("process.env_vars", &variables.inexact, &variables.redacted);
        }
        self.take("process.env_vars", env, |variables| variables.shown.clone())
    }

    /// Notes which members of a list are not shown as they are, and of which a part was hidden.
    fn of_list(&mut self, name: &str, inexact: &[(usize, Box<[u8]>)], redacted: &[usize]) {
        for (place, exact) in inexact {
            self.exact(format!("{name}[{place}]"), exact);
        }
        self.capture.redacted.extend(redacted.iter().map(|place| format!("{name}[{place}]")));
    }

    /// Notes which arguments are not shown as they are.
    pub(super) fn of_args(&mut self, name: &str, args: &Known<Args>) {
        if let Some(args) = args.value() {
            self.of_list(name, &args.inexact, &args.redacted);
        }
    }

    /// Everything of the image but its digests.
    pub(super) fn image(&mut self, image: &Image, parts: &mut Parts, process: &mut event::Process) {
        process.executable = self.text("process.executable", &image.executable);
        process.name.clone_from(&image.name);
        let memfd = image.is_memfd();
        process.exe = self.take("process.exe", &image.file, |file| parts.exe(file, memfd));
        process.script = self.text("process.script", &image.script);
        process.working_directory = self.text("process.working_directory", &image.cwd);
        self.of_args("process.args", &image.args);
        process.args = self.take("process.args", &image.args, |args| args.shown.clone());
        process.args_count = process.args.as_ref().and_then(|args| u64::try_from(args.len()).ok());
        process.command_line = image.args.value().map(|args| args.command_line.clone());
    }
}

/// What the kernel told is not listed.
fn written(origin: Origin) -> Option<event::Origin> {
    match origin {
        Origin::Kernel => None,
        Origin::Proc => Some(event::Origin::Proc),
        Origin::Parent => Some(event::Origin::Parent),
        Origin::Cache => Some(event::Origin::Cache),
    }
}

/// A device number of the kernel, as its two parts.
pub(super) fn char_device(device: u32) -> event::CharDevice {
    event::CharDevice { major: device >> MINOR_BITS, minor: device & ((1 << MINOR_BITS) - 1) }
}

/// Writes what the kernel side told of a task and what does not change with its image.
fn identity(task: &TaskIdentity, state: &TaskState, parts: &mut Parts, process: &mut event::Process) {
    process.vpid = (task.vpid != task.state.tgid).then_some(task.vpid);
    process.namespaces = Some(parts.namespaces(&task.namespaces, state));
    let (login_uid, session) = (set(task.login_uid), set(task.audit_session));
    process.audit = (login_uid.is_some() || session.is_some()).then_some(event::Audit { login_uid, session });
    of_state(state, parts, process);
}

/// An inode number of a namespace, where there is such a one.
pub(super) fn known(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

/// Writes what every record tells of a task.
fn of_state(state: &TaskState, parts: &mut Parts, process: &mut event::Process) {
    process.tty = (state.tty != 0).then(|| event::Tty { char_device: Some(char_device(state.tty)) });
    process.session_leader = set(state.session).map(|pid| event::Leader { pid });
    process.group_leader = set(state.pgrp).map(|pid| event::Leader { pid });
    process.thread =
        Some(event::Thread { id: Some(state.tid), capabilities: Some(parts.capabilities(state)) });
}

/// A number that was set and could be read.
fn set(number: u32) -> Option<u32> {
    (number != UNSET).then_some(number)
}

/// Notes that a kernel task has nothing of what user memory would tell.
pub(super) fn of_kernel_task(fields: &mut Fields<'_>, process: &mut event::Process) {
    process.is_kernel = Some(true);
    for name in OF_IMAGE {
        fields.missing(name, Reason::KernelTask);
    }
}
