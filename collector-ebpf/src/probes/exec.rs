//! A process replaced its image: `sched_process_exec`, when the new image is set up and has not run yet.
//!
//! Credentials, comm and arguments are final here, and no other thread is left that could change them.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use aya_log_ebpf::{debug, warn};
use collector_common::{ARGS_MAX, ENV_MAX, ExecRecord, Fate, Kind, Loss, Piece};

use crate::{
    emit, filter,
    kernel::{Address, file, offset, pieces, task},
    maps::{ExecScratch, backup::Role, exec_scratch},
};

/// `TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`
#[btf_tracepoint(function = "sched_process_exec")]
fn sched_process_exec(context: BtfTracePointContext) -> i32 {
    executed(&context, Role::Primary)
}

#[btf_tracepoint(function = "sched_process_exec")]
fn sched_process_exec_2(context: BtfTracePointContext) -> i32 {
    executed(&context, Role::Backup)
}

#[inline(always)]
fn executed(context: &BtfTracePointContext, role: Role) -> i32 {
    if !role.is_mine(Kind::Exec) {
        return 0;
    }
    emit::seen(Kind::Exec);
    let header = emit::header(Kind::Exec, Fate::Reported, size_of::<ExecRecord>());
    let place = role.place(header.cpu.into());
    let Some(scratch) = exec_scratch(place) else {
        warn!(context, "no room to put an exec together on CPU {}", header.cpu);
        emit::lost(Kind::Exec, Loss::ReserveFailed);
        return 0;
    };
    scratch.record.header = header;
    fill(scratch, place, Address(context.arg(0)), Address(context.arg(2)));
    if !scratch.record.path.is_whole() {
        debug!(context, "path of an exec was cut at {} bytes", scratch.record.path.len);
    }
    emit::exec(scratch);
    0
}

#[inline(always)]
fn fill(scratch: &mut ExecScratch, place: u32, process: Address, binprm: Address) {
    let mm = process.follow(offset!(task_mm));
    let exe = mm.follow(offset!(mm_exe_file));
    scratch.record.header.cgroups = task::cgroups(process);
    task::identity(process, &mut scratch.record.task);
    file::identity(exe, &mut scratch.record.exe);

    scratch.used = 0;
    scratch.record.path = pieces::append_path(scratch, place, exe.plus(offset!(file_path)));
    let cwd = process.follow(offset!(task_fs)).plus(offset!(fs_pwd));
    scratch.record.cwd = pieces::append_path(scratch, place, cwd);
    scratch.record.script = script(scratch, binprm);
    let args = (mm.read(offset!(mm_arg_start)), mm.read(offset!(mm_arg_end)));
    scratch.record.args = pieces::append_user(scratch, args, ARGS_MAX as u32);
    let fate = filter::exec(process, scratch);
    if fate != Fate::Reported {
        // The record already has all that a child's record refers to; only this process's own event would need the
        // environment.
        scratch.record.header.fate = fate.to_wire();
        scratch.record.env = Piece::default();
        return;
    }
    let env = (mm.read(offset!(mm_env_start)), mm.read(offset!(mm_env_end)));
    scratch.record.env = pieces::append_user(scratch, env, ENV_MAX as u32);
}

/// The path that execve(2) was given, if the kernel runs an interpreter for it.
#[inline(always)]
fn script(scratch: &mut ExecScratch, binprm: Address) -> Piece {
    let filename = binprm.follow(offset!(binprm_filename));
    if filename == binprm.follow(offset!(binprm_interp)) {
        return Piece::default();
    }
    pieces::append_string(scratch, filename)
}
