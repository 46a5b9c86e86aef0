//! One process, as the table keeps it.

use std::{num::NonZeroU32, rc::Rc, sync::Arc};

use collector_common::{PF_KTHREAD, TaskIdentity, TaskState};

use super::{container::Container, from_proc::Unread, image::Image, shown::Shown};
use crate::{
    event::{EntityId, Timestamp},
    fact::Fact,
    process::ProcessKey,
    procfs::{Proc, ProcessDir, ReadError},
    text::{Text, until_nul},
};

/// A process, as the table keeps it. It is immutable: an exec or another name replaces it.
#[derive(Clone, Debug)]
pub(crate) struct TrackedProcess {
    /// What the kernel side sent at its fork, at its exec or in the start-up scan.
    pub task: TaskIdentity,
    /// What it runs; shared with the parent until its own exec.
    pub image: Rc<Image>,
    /// Whether the image is the parent's.
    pub inherited: bool,
    /// Namespaces that /proc did not show; `None` if a record described the process, so that nothing came from /proc.
    pub unread: Option<Unread>,
    /// Whether the kernel itself started it.
    pub usermode_helper: bool,
    /// CPID.
    pub entity_id: EntityId,
    /// When its image started, in nanoseconds since boot.
    pub begun_ns: u64,
    /// Its start in wall time. It never changes, so that all its events have the same.
    pub start: Timestamp,
    /// Identifies its cgroups in all hierarchies together; `None` if no record said.
    pub cgroups: Option<NonZeroU32>,
    /// Its container, if only version 1 cgroups show it.
    pub v1_container: Fact<Container>,
    /// Its name in the last record.
    pub comm: Arc<str>,
    /// Its form on the events of its descendants.
    pub shown: Shown,
}

impl TrackedProcess {
    /// Whether it was read from /proc, which has less than a record.
    pub(super) fn is_adopted(&self) -> bool {
        self.unread.is_some()
    }

    /// The same process with another name.
    pub(super) fn renamed(&self, comm: Arc<str>) -> Self {
        Self { comm, shown: Shown::default(), ..self.clone() }
    }

    /// The same process with another image.
    pub(super) fn with_image(&self, image: Rc<Image>, begun_ns: u64) -> Self {
        Self { image, begun_ns, inherited: false, shown: Shown::default(), ..self.clone() }
    }
}

/// The key of the process of a record.
pub(super) fn key_of(state: &TaskState) -> ProcessKey {
    ProcessKey::new(state.tgid, state.start_ns)
}

/// The parent of the process of a record.
pub(crate) fn parent_of(state: &TaskState) -> Option<ProcessKey> {
    ProcessKey::from_record(state.parent_tgid, state.parent_start_ns)
}

/// Whether a task is the kernel's own. Only its flag decides: an empty maps file does not, as a zombie has one too.
pub(crate) fn is_kernel(state: &TaskState) -> bool {
    state.flags & PF_KTHREAD != 0
}

/// Whether the kernel itself started this program, for a core dump, a key or a module: `call_usermodehelper` makes it a child
/// of a kernel thread, and no process can get itself such a parent. Pid 1 does not count: it has no parent.
pub(super) fn is_usermode_helper(task: &TaskIdentity) -> bool {
    let of_kernel_thread = task.state.parent_tgid != 0 && task.parent_flags & PF_KTHREAD != 0;
    of_kernel_thread && !is_kernel(&task.state)
}

/// The kernel's name of a task, as text.
pub(crate) fn comm(bytes: &[u8]) -> Text {
    Text::new(until_nul(bytes))
}

/// Opens /proc of this life of a process.
pub(crate) fn open(proc: &Proc, key: ProcessKey) -> Result<ProcessDir, ReadError> {
    proc.process(key.tgid.0, Some(key.start.to_ticks()))
}
