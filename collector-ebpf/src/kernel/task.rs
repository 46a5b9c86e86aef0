//! What a `task_struct`, and the structures it points to, say about a task.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use collector_common::{
    ABSENT, Credentials, ExitRecord, NamespaceIds, REAPER_DEPTH_MAX, TaskIdentity, TaskState,
};

use super::{address::Address, offsets::offset};

/// `signal_struct.pids`: the indices of `enum pid_type`, the same since 4.19.
const PIDTYPE_PGID: u32 = 2;
const PIDTYPE_SID: u32 = 3;
/// `signal_struct.flags`: `group_exit_code` is valid.
const SIGNAL_GROUP_EXIT: u32 = 0x4;
/// `MINORBITS` of the kernel's device numbers.
const MINOR_BITS: u32 = 20;

/// Results of [`takes_over`].
const NOT_IT: u32 = 0;
const IT: u32 = 1;
const OUTSIDE: u32 = 2;

/// The current task.
#[inline(always)]
pub fn current() -> Address {
    // SAFETY: the helper takes no argument and every program type here may call it.
    Address(unsafe { bpf_get_current_task() })
}

/// Whether the task is the first thread of its process.
#[inline(always)]
pub fn is_group_leader(task: Address) -> bool {
    task.read::<u32>(offset!(task_pid)) == task.read::<u32>(offset!(task_tgid))
}

/// Whether a thread of the task's process is still alive.
#[inline(always)]
pub fn group_lives(task: Address) -> bool {
    task.follow(offset!(task_signal)).read::<i32>(offset!(signal_live)) > 0
}

/// The key of the task's process: its id and its start.
#[inline(always)]
pub fn key(task: Address) -> (u32, u64) {
    (task.read(offset!(task_tgid)), task.follow(offset!(task_group_leader)).read(offset!(task_start)))
}

/// Writes the facts that every record of a task has.
#[inline(always)]
pub fn state(task: Address, state: &mut TaskState) {
    let leader = task.follow(offset!(task_group_leader));
    // `real_parent` is the task that the kernel will notify of the end: the new parent after a reparenting.
    let parent = task.follow(offset!(task_real_parent)).follow(offset!(task_group_leader));
    state.start_ns = leader.read(offset!(task_start));
    state.parent_start_ns = parent.read(offset!(task_start));
    state.tgid = task.read(offset!(task_tgid));
    state.tid = task.read(offset!(task_pid));
    state.parent_tgid = parent.read(offset!(task_tgid));
    state.flags = task.read(offset!(task_flags));
    state.credentials = task.follow(offset!(task_cred)).read::<Credentials>(offset!(cred_uid));
    // The name of the process, as /proc/PID/comm shows it: threads may have names of their own.
    state.comm = leader.read(offset!(task_comm));
    state.cgroup_id = id_of_cgroup(cgroup(task));
    let cred = task.follow(offset!(task_cred));
    state.cap_effective = cred.read(offset!(cred_cap_effective));
    state.cap_permitted = cred.read(offset!(cred_cap_permitted));
    let signal = task.follow(offset!(task_signal));
    state.session = outermost(signal, PIDTYPE_SID);
    state.pgrp = outermost(signal, PIDTYPE_PGID);
    state.tty = tty(signal);
    let nsproxy = task.follow(offset!(task_nsproxy));
    state.net_namespace = nsproxy.follow(offset!(nsproxy_net)).read(offset!(net_inum));
}

/// Writes all facts that a fork, an exec and the task iterator report about a task.
#[inline(always)]
pub fn identity(task: Address, identity: &mut TaskIdentity) {
    state(task, &mut identity.state);
    let (vpid, pid_namespace) = innermost(task);
    identity.vpid = vpid;
    identity.login_uid = or_unset(task, offset!(task_loginuid));
    identity.audit_session = or_unset(task, offset!(task_sessionid));
    namespaces(task, &mut identity.namespaces);
    identity.namespaces.pid = pid_namespace.read(offset!(pid_namespace_inum));
    identity.parent_flags = task.follow(offset!(task_real_parent)).read(offset!(task_flags));
}

#[inline(always)]
fn or_unset(task: Address, offset: u32) -> u32 {
    if offset == ABSENT { u32::MAX } else { task.read(offset) }
}

/// Identifies the task's cgroups in all hierarchies: tasks in the same cgroups share a `css_set`. These are at least
/// 64 bytes apart, so 32 bits of the shifted address tell them apart on one machine.
#[inline(always)]
pub fn cgroups(task: Address) -> u32 {
    (task.follow(offset!(task_cgroups)).0 >> 6) as u32
}

/// The task's cgroup of version 2.
#[inline(always)]
pub fn cgroup(task: Address) -> Address {
    task.follow(offset!(task_cgroups)).follow(offset!(css_set_dfl_cgrp))
}

/// Id of a cgroup's directory in its hierarchy.
#[inline(always)]
pub fn id_of_cgroup(cgroup: Address) -> u64 {
    cgroup.follow(offset!(cgroup_kn)).read(offset!(kernfs_node_id))
}

/// The process's id in its innermost PID namespace, and that namespace.
#[inline(always)]
fn innermost(task: Address) -> (u32, Address) {
    let pid = task.follow(offset!(task_group_leader)).follow(offset!(task_thread_pid));
    let level: u32 = pid.read(offset!(pid_level));
    let upid = pid.plus(offset!(pid_numbers)).plus(level.wrapping_mul(offset!(upid_size)));
    (upid.read(offset!(upid_nr)), upid.follow(offset!(upid_ns)))
}

/// The number of a `signal->pids` entry in the initial PID namespace: a session or a process group. 0 for descendants
/// of the first tasks that have not made or joined one; `u32::MAX` if it cannot be read.
#[inline(always)]
fn outermost(signal: Address, pid_type: u32) -> u32 {
    let pid = signal.follow(offset!(signal_pids).wrapping_add(pid_type * size_of::<u64>() as u32));
    if pid.is_null() {
        return u32::MAX;
    }
    pid.plus(offset!(pid_numbers)).read(offset!(upid_nr))
}

/// Device number of the controlling terminal; 0 for none.
#[inline(always)]
fn tty(signal: Address) -> u32 {
    let tty = signal.follow(offset!(signal_tty));
    if tty.is_null() {
        return 0;
    }
    let driver = tty.follow(offset!(tty_driver));
    let major: u32 = driver.read(offset!(tty_driver_major));
    let minor: u32 = driver.read(offset!(tty_driver_minor_start));
    let index: u32 = tty.read(offset!(tty_index));
    (major << MINOR_BITS) | minor.wrapping_add(index)
}

#[inline(always)]
fn namespaces(task: Address, namespaces: &mut NamespaceIds) {
    let nsproxy = task.follow(offset!(task_nsproxy));
    namespaces.mnt = nsproxy.follow(offset!(nsproxy_mnt)).read(offset!(mnt_namespace_inum));
    namespaces.uts = nsproxy.follow(offset!(nsproxy_uts)).read(offset!(uts_namespace_inum));
    namespaces.ipc = nsproxy.follow(offset!(nsproxy_ipc)).read(offset!(ipc_namespace_inum));
    namespaces.cgroup = nsproxy.follow(offset!(nsproxy_cgroup)).read(offset!(cgroup_namespace_inum));
    let cred = task.follow(offset!(task_cred));
    namespaces.user = cred.follow(offset!(cred_user_ns)).read(offset!(user_namespace_inum));
}

/// Writes how the process of `task`, its last thread, ended and what it used.
#[inline(always)]
pub fn ending(task: Address, exit: &mut ExitRecord) {
    let leader = task.follow(offset!(task_group_leader));
    let signal = task.follow(offset!(task_signal));
    // As `wait_task_zombie` chooses: the code of the group if the group was ended as one, else that of the leader.
    let flags: u32 = signal.read(offset!(signal_flags));
    exit.exit_code = if flags & SIGNAL_GROUP_EXIT != 0 {
        signal.read(offset!(signal_group_exit_code))
    } else {
        leader.read(offset!(task_exit_code))
    };
    // `signal` has the sums of threads that ended before, except for a leader that waits for the others as a zombie.
    exit.utime_ns = signal.read::<u64>(offset!(signal_utime)).wrapping_add(task.read(offset!(task_utime)));
    exit.stime_ns = signal.read::<u64>(offset!(signal_stime)).wrapping_add(task.read(offset!(task_stime)));
    exit.runtime_ns =
        signal.read::<u64>(offset!(signal_runtime)).wrapping_add(task.read(offset!(task_runtime)));
    if leader != task {
        exit.utime_ns = exit.utime_ns.wrapping_add(leader.read(offset!(task_utime)));
        exit.stime_ns = exit.stime_ns.wrapping_add(leader.read(offset!(task_stime)));
        exit.runtime_ns = exit.runtime_ns.wrapping_add(leader.read(offset!(task_runtime)));
    }
    exit.max_rss_pages = signal.read(offset!(signal_maxrss));
    let reaper = reaper(task, signal).follow(offset!(task_group_leader));
    exit.reaper_start_ns = reaper.read(offset!(task_start));
    exit.reaper_tgid = reaper.read(offset!(task_tgid));
}

/// The task that takes over the children of a process that ends, as `find_new_reaper` chooses it: the nearest living
/// subreaper above, else the first process of the PID namespace.
#[inline(always)]
fn reaper(task: Address, signal: Address) -> Address {
    let (_, namespace) = innermost(task);
    let init = namespace.follow(offset!(pid_namespace_child_reaper));
    if !bit(signal, offset!(signal_has_child_subreaper)) {
        return init;
    }
    let mut ancestor = task;
    for _ in 0..REAPER_DEPTH_MAX {
        ancestor = ancestor.follow(offset!(task_real_parent));
        match takes_over(ancestor.0, namespace.0) {
            NOT_IT => {}
            IT => return ancestor,
            _ => break,
        }
    }
    init
}

/// Whether an ancestor in this PID namespace takes over children: [`NOT_IT`], [`IT`], or [`OUTSIDE`] if the namespace
/// ends below it. A global function, so that the verifier checks it once and not for each step of the loop.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn takes_over(ancestor: u64, namespace: u64) -> u32 {
    let ancestor = Address(ancestor);
    let (_, ancestor_namespace) = innermost(ancestor);
    if ancestor.is_null() || ancestor_namespace.0 != namespace {
        return OUTSIDE;
    }
    let subreaper = bit(ancestor.follow(offset!(task_signal)), offset!(signal_is_child_subreaper));
    if subreaper && group_lives(ancestor) { IT } else { NOT_IT }
}

/// A bit field that begins `offset` bits into the structure.
#[inline(always)]
fn bit(structure: Address, offset: u32) -> bool {
    offset != ABSENT && structure.read::<u8>(offset / 8) & (1 << (offset % 8)) != 0
}
