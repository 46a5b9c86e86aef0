//! A new process: `sched_process_fork`, before the child first runs.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use collector_common::{Kind, TaskRecord};

use crate::{
    emit, filter,
    kernel::{Address, task},
    maps::backup::Role,
};

/// `TP_PROTO(struct task_struct *parent, struct task_struct *child)`
#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(context: BtfTracePointContext) -> i32 {
    forked(&context, Role::Primary)
}

#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork_2(context: BtfTracePointContext) -> i32 {
    forked(&context, Role::Backup)
}

#[inline(always)]
fn forked(context: &BtfTracePointContext, role: Role) -> i32 {
    if !role.is_mine(Kind::Fork) {
        return 0;
    }
    let (forker, child) = (Address(context.arg(0)), Address(context.arg(1)));
    if task::is_group_leader(child) {
        emit::seen(Kind::Fork);
        let fate = filter::fork(forker, child);
        emit::record(Kind::Fork, |record: &mut TaskRecord| {
            record.header = emit::header(Kind::Fork, fate, size_of::<TaskRecord>());
            record.header.cgroups = task::cgroups(child);
            task::identity(child, &mut record.task);
            (record.forker_tgid, record.forker_start_ns) = task::key(forker);
            record.reserved = 0;
        });
    }
    0
}
