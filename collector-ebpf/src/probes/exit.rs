//! The end of a process: `sched_process_exit` of its last thread.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use collector_common::{ExitRecord, Kind};

use crate::{
    emit, filter,
    kernel::{Address, offset, task},
    maps::backup::Role,
};

/// `TP_PROTO(struct task_struct *task, bool group_dead)`; the second argument exists since 6.16.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(context: BtfTracePointContext) -> i32 {
    ended(&context, Role::Primary)
}

#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit_2(context: BtfTracePointContext) -> i32 {
    ended(&context, Role::Backup)
}

#[inline(always)]
fn ended(context: &BtfTracePointContext, role: Role) -> i32 {
    if !role.is_mine(Kind::Exit) {
        return 0;
    }
    let ended = Address(context.arg(0));
    let group_dead = if offset!(exit_arguments) > 1 {
        context.arg::<u64>(1) & 1 != 0
    } else {
        // Two threads that end at once may both find no other thread alive. The agent recognises the second record, since its
        // process has ended, and counts it as filtered.
        !task::group_lives(ended)
    };
    if group_dead {
        emit::seen(Kind::Exit);
        let fate = filter::exit(ended);
        emit::record(Kind::Exit, |record: &mut ExitRecord| {
            record.header = emit::header(Kind::Exit, fate, size_of::<ExitRecord>());
            task::state(ended, &mut record.task);
            task::ending(ended, record);
        });
    }
    0
}
