//! What each program of the agent costs the kernel's verifier: runs `collector doctor`, which loads every program once,
//! in the order of its hooks, and prints a line for each: its name, cut to 15 bytes by the kernel, the instructions
//! that the verifier walked, and the states that it kept.
//!
//! The kernel reports the states only in the verifier's log, which is not written when a program is accepted. So this
//! traces the agent and requests the log instead: before a `BPF_PROG_LOAD` enters the kernel, it is given a place for a log with
//! nothing but the figures (`BPF_LOG_STATS`, Linux 5.2), below the stack of the thread that calls.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it prints a table, and a panic fails the test that runs it"
)]

use std::{
    collections::HashMap,
    fs::File,
    os::unix::{fs::FileExt, process::CommandExt},
    process::{Command, Stdio},
};

use collector_tests::agent;
use nix::{
    libc,
    sys::{
        ptrace::{self, Options},
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// `bpf(2)`'s command.
const BPF_PROG_LOAD: u64 = 5;
/// `enum bpf_log_level`: the figures alone.
const BPF_LOG_STATS: u32 = 4;
/// Of `union bpf_attr`: `log_level` and `log_size`, 32 bits each, and `log_buf`, 64.
const LOG: u64 = 24;
const LOG_LEN: usize = 16;
/// Of `union bpf_attr`: `prog_name`.
const NAME: u64 = 48;
const NAME_LEN: usize = 16;

/// Linux 6.12 logs a line for each call of a global function, whatever the log level, and refuses a program of which it
/// cannot say all.
const LOG_SIZE: u32 = 64 << 10;
/// How far below the stack pointer the log begins: its end is beyond what a function may use there without moving it.
const BELOW_STACK: u64 = 128 << 10;

/// A load that a thread is in: its attributes, what stood there before, where its log goes, and its program.
struct Load {
    attributes: u64,
    before: [u8; LOG_LEN],
    log: u64,
    program: String,
}

fn main() {
    let mut doctor = agent::command(&["doctor"]);
    doctor.stdout(Stdio::null());
    // SAFETY: between fork and exec a child may only call what is safe in a signal handler; ptrace(2) is a bare system
    // call.
    unsafe { doctor.pre_exec(|| Ok(ptrace::traceme()?)) };
    for (program, figures) in trace(&mut doctor) {
        println!("{program}\t{}\t{}", figures.instructions, figures.states);
    }
}

/// Runs the command to its end, and answers with the programs that the kernel took from it.
fn trace(command: &mut Command) -> Vec<(String, Figures)> {
    let child = Pid::from_raw(command.spawn().unwrap().id().try_into().unwrap());
    let mut loads = HashMap::new();
    let mut taken = Vec::new();
    // It stops at its exec.
    waitpid(child, None).unwrap();
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(child, options).unwrap();
    ptrace::syscall(child, None).unwrap();
    loop {
        let (pid, signal) = match waitpid(None, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::Exited(pid, code) if pid == child => {
                assert_eq!(code, 0, "collector doctor finds that the agent cannot run here");
                return taken;
            }
            WaitStatus::PtraceSyscall(pid) => {
                taken.extend(at_system_call(pid, &mut loads));
                (pid, None)
            }
            // A thread begins with a stop of its own.
            WaitStatus::Stopped(pid, Signal::SIGSTOP | Signal::SIGTRAP)
            | WaitStatus::PtraceEvent(pid, ..) => (pid, None),
            WaitStatus::Stopped(pid, signal) => (pid, Some(signal)),
            _ => continue,
        };
        // A thread may be gone by now, with all the others.
        let _ = ptrace::syscall(pid, signal);
    }
}

/// At the entry of a load, has it write a log; at the way out, reads that.
fn at_system_call(pid: Pid, loads: &mut HashMap<Pid, Load>) -> Option<(String, Figures)> {
    let info = ptrace::syscall_info(pid).unwrap();
    let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem")).unwrap();
    if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
        // SAFETY: `op` says that `entry` is what the kernel wrote.
        let entry = unsafe { info.u.entry };
        if i64::try_from(entry.nr) == Ok(libc::SYS_bpf) && entry.args[0] == BPF_PROG_LOAD {
            let load = ask_for_log(&memory, entry.args[1], info.stack_pointer - BELOW_STACK);
            loads.extend(load.map(|load| (pid, load)));
        }
        return None;
    }
    let Load { attributes, before, log, program } = loads.remove(&pid)?;
    memory.write_all_at(&before, attributes + LOG).unwrap();
    // SAFETY: a stop at a system call that is not its entry is its exit.
    let exit = unsafe { info.u.exit };
    // `doctor` reports what the kernel refuses.
    (exit.is_error == 0).then(|| (program, Figures::read(&text(&memory, log, LOG_SIZE.try_into().unwrap()))))
}

/// `None` for what is not a program of the agent: aya tries what the kernel has by loads without a name, or with one of its
/// own, and reads the log of some.
fn ask_for_log(memory: &File, attributes: u64, log: u64) -> Option<Load> {
    let mut before = [0; LOG_LEN];
    memory.read_exact_at(&mut before, attributes + LOG).unwrap();
    let program = text(memory, attributes + NAME, NAME_LEN);
    if before != [0; LOG_LEN] || program.is_empty() || program.starts_with("aya_") {
        return None;
    }
    let level = BPF_LOG_STATS.to_ne_bytes();
    let wanted = [&level[..], &LOG_SIZE.to_ne_bytes(), &log.to_ne_bytes()].concat();
    memory.write_all_at(&wanted, attributes + LOG).unwrap();
    Some(Load { attributes, before, log, program })
}

/// Up to the first zero.
fn text(memory: &File, address: u64, len: usize) -> String {
    let mut bytes = vec![0; len];
    memory.read_exact_at(&mut bytes, address).unwrap();
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(len);
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

struct Figures {
    instructions: u64,
    states: u64,
}

impl Figures {
    /// `processed 61 insns (limit 1000000) max_states_per_insn 0 total_states 3 peak_states 3 mark_read 1`
    fn read(log: &str) -> Self {
        let words: Vec<&str> = log.split_ascii_whitespace().collect();
        let after = |name: &str| {
            let at = words.iter().position(|&word| word == name);
            let number = at.and_then(|at| words.get(at + 1)?.parse().ok());
            number.unwrap_or_else(|| panic!("no number behind {name:?} in the verifier's log: {log:?}"))
        };
        Self { instructions: after("processed"), states: after("total_states") }
    }
}
