//! The facts of a task that its records carry.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{limits::COMM_LEN, record::RecordHeader};

/// `task_struct.flags`: a kernel thread (`include/linux/sched.h`, the same in every kernel so far).
pub const PF_KTHREAD: u32 = 0x0020_0000;

/// `task->cred`: ids in the initial user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Credentials {
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Saved user id.
    pub suid: u32,
    /// Saved group id.
    pub sgid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// User id for file access.
    pub fsuid: u32,
    /// Group id for file access.
    pub fsgid: u32,
}

// The kernel side reads the whole block at once: `struct cred` has the eight ids in this order since 2.6.29.
const _: () = assert!(size_of::<Credentials>() == 32);

/// The facts that may change during the life of a process, and the key of the process.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TaskState {
    /// Start of the process: `group_leader->start_boottime`, nanoseconds on `CLOCK_BOOTTIME`.
    pub start_ns: u64,
    /// Start of the parent process, in the same way.
    pub parent_start_ns: u64,
    /// Thread-group id in the initial PID namespace.
    pub tgid: u32,
    /// Thread id in the initial PID namespace.
    pub tid: u32,
    /// Thread-group id of `real_parent`; 0 for the two tasks that have none.
    pub parent_tgid: u32,
    /// `task->flags`: `PF_*`.
    pub flags: u32,
    /// `task->cred`.
    pub credentials: Credentials,
    /// `group_leader->comm`, NUL-terminated.
    pub comm: [u8; COMM_LEN],
    /// Id of the cgroup v2 directory: its inode number.
    pub cgroup_id: u64,
    /// `cred->cap_effective`, a bit for each capability.
    pub cap_effective: u64,
    /// `cred->cap_permitted`.
    pub cap_permitted: u64,
    /// Session id: process id of the session leader.
    pub session: u32,
    /// Process-group id.
    pub pgrp: u32,
    /// Device number of the controlling terminal as the kernel holds it (major << 20 | minor); 0 for none.
    pub tty: u32,
    /// Inode number of the network namespace.
    pub net_namespace: u32,
}

const _: () = assert!(size_of::<TaskState>() == 120);

/// Inode numbers of the namespaces of a task, except [`TaskState::net_namespace`]; 0 if the kernel has no such
/// namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NamespaceIds {
    /// Mount namespace.
    pub mnt: u32,
    /// PID namespace the process was created in.
    pub pid: u32,
    /// User namespace of the credentials.
    pub user: u32,
    /// UTS namespace.
    pub uts: u32,
    /// IPC namespace.
    pub ipc: u32,
    /// Cgroup namespace.
    pub cgroup: u32,
}

/// All facts that a fork, an exec and a snapshot report about a process.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TaskIdentity {
    /// The facts that exits and connects report too.
    pub state: TaskState,
    /// Thread-group id in the innermost PID namespace.
    pub vpid: u32,
    /// `task->loginuid`; `u32::MAX` if it was never set.
    pub login_uid: u32,
    /// `task->sessionid` of the audit subsystem; `u32::MAX` if it was never set.
    pub audit_session: u32,
    /// The namespaces.
    pub namespaces: NamespaceIds,
    /// `real_parent->flags`: `PF_*`. If the parent is a kernel thread, the kernel itself started the program.
    pub parent_flags: u32,
}

const _: () = assert!(size_of::<TaskIdentity>() == 160);

/// Body of [`Kind::Fork`](crate::Kind::Fork) and [`Kind::Task`](crate::Kind::Task).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TaskRecord {
    /// The header.
    pub header: RecordHeader,
    /// The new process, or the one that ran before the agent.
    pub task: TaskIdentity,
    /// Start of the process that forked. Not always the parent: see `CLONE_PARENT` in clone(2). 0 in a snapshot.
    pub forker_start_ns: u64,
    /// Thread-group id of the process that forked; 0 in a snapshot.
    pub forker_tgid: u32,
    /// Zero; keeps the size a multiple of 8.
    pub reserved: u32,
}

const _: () = assert!(size_of::<TaskRecord>() == 200);
