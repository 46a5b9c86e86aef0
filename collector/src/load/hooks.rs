//! The one list of hooks, and how to load and attach each kind.

use std::{fs::File, io};

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, CgroupSockAddr, Iter, Program, ProgramError, SockOps},
};

use super::{backup::Backups, error::LoadError, part::Part};

#[derive(Clone, Copy, Debug)]
enum Attach {
    /// A BTF tracepoint of this name.
    Tracepoint(&'static str),
    /// An iterator over this.
    Iterator(&'static str),
    SockOps,
    SockAddr,
}

/// A program and where it is attached.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// The name for users: kind and place, as the kernel names them.
    pub name: &'static str,
    /// The part of the agent's work that it serves.
    pub part: Part,
    program: &'static str,
    /// Reports the events for which the kernel does not run the program: see [`Backups`].
    backup: Option<&'static str>,
    attach: Attach,
}

const TASKS: &str = "running_tasks";

/// Every hook, in the order in which they are attached.
pub const HOOKS: &[Hook] = &[
    // First, because the others judge by the rules on cgroups.
    tracepoint("tp_btf/cgroup_mkdir", "cgroup_mkdir", Part::Cgroups),
    tracepoint("tp_btf/cgroup_rmdir", "cgroup_rmdir", Part::Cgroups),
    tracepoint("tp_btf/sched_process_exit", "sched_process_exit", Part::Processes)
        .with_backup("sched_process_exit_2"),
    tracepoint("tp_btf/sched_process_exec", "sched_process_exec", Part::Processes)
        .with_backup("sched_process_exec_2"),
    tracepoint("tp_btf/sched_process_fork", "sched_process_fork", Part::Processes)
        .with_backup("sched_process_fork_2"),
    hook("iter/task", TASKS, Part::Scan, Attach::Iterator("task")),
    // Before sock_ops, so that each connect has its result.
    tracepoint("tp_btf/inet_sock_set_state", "inet_sock_set_state", Part::Connections)
        .with_backup("inet_sock_set_state_2"),
    hook("sock_ops", "tcp_connect", Part::Connections, Attach::SockOps),
    sock_addr("cgroup/connect4", "udp_connect4"),
    sock_addr("cgroup/connect6", "udp_connect6"),
    sock_addr("cgroup/sendmsg4", "udp_sendmsg4"),
    sock_addr("cgroup/sendmsg6", "udp_sendmsg6"),
];

const fn hook(name: &'static str, program: &'static str, part: Part, attach: Attach) -> Hook {
    Hook { name, part, program, backup: None, attach }
}

const fn tracepoint(name: &'static str, tracepoint: &'static str, part: Part) -> Hook {
    hook(name, tracepoint, part, Attach::Tracepoint(tracepoint))
}

const fn sock_addr(name: &'static str, program: &'static str) -> Hook {
    hook(name, program, Part::Connections, Attach::SockAddr)
}

impl Hook {
    const fn with_backup(self, backup: &'static str) -> Self {
        Self { backup: Some(backup), ..self }
    }

    /// Attaches the backup program, if there is one. The primary must be attached already: programs of a tracepoint run in
    /// the order in which they were attached.
    pub(super) fn attach_backup(&self, ebpf: &mut Ebpf, btf: &Btf) -> Result<(), LoadError> {
        match self.backup {
            Some(program) => Self { program, ..*self }.attach(ebpf, btf, &Ok(None)),
            None => Ok(()),
        }
    }

    /// Loads the program and attaches it; an iterator is only loaded. `cgroup` is the root of cgroup v2, or why there is
    /// none.
    pub(super) fn attach(
        &self,
        ebpf: &mut Ebpf,
        btf: &Btf,
        cgroup: &io::Result<Option<File>>,
    ) -> Result<(), LoadError> {
        let program = ebpf.program_mut(self.program).ok_or(LoadError::NoProgram { program: self.program })?;
        match self.attach {
            Attach::Tracepoint(tracepoint) => attach_tracepoint(program, tracepoint, btf),
            Attach::Iterator(over) => load_iterator(program, over, btf),
            Attach::SockOps => attach_sock_ops(program, root(cgroup)?),
            Attach::SockAddr => attach_sock_addr(program, root(cgroup)?),
        }
        .map_err(|source| LoadError::program(self.name, source))
    }

    /// Attaches the program as [`Hook::attach`] does, also an iterator, and unloads it.
    pub(super) fn probe(
        &self,
        ebpf: &mut Ebpf,
        btf: &Btf,
        cgroup: &io::Result<Option<File>>,
    ) -> Result<(), LoadError> {
        self.attach(ebpf, btf, cgroup)?;
        if matches!(self.attach, Attach::Iterator(_)) {
            open_tasks(ebpf)?;
        }
        let program = ebpf.program_mut(self.program).ok_or(LoadError::NoProgram { program: self.program })?;
        unload(program).map_err(|source| LoadError::program(self.name, source))
    }

    /// The option of the kernel's configuration that the hook needs.
    #[must_use]
    pub fn kernel_config(&self) -> &'static str {
        match self.attach {
            Attach::Tracepoint(_) | Attach::Iterator(_) => "CONFIG_BPF_EVENTS",
            Attach::SockOps | Attach::SockAddr => "CONFIG_CGROUP_BPF",
        }
    }
}

/// The backup of this program; `None` if this kernel needs none.
pub(super) fn backup_of(program: &str, backups: Backups) -> Option<&'static str> {
    let hook = HOOKS.iter().find(|hook| hook.program == program)?;
    hook.backup.filter(|_| backups.are_needed_for(hook.part))
}

/// Detaches and unloads the program.
fn unload(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::BtfTracePoint(program) => program.unload(),
        Program::Iter(program) => program.unload(),
        Program::SockOps(program) => program.unload(),
        Program::CgroupSockAddr(program) => program.unload(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn root(cgroup: &io::Result<Option<File>>) -> Result<&File, LoadError> {
    match cgroup {
        Ok(Some(root)) => Ok(root),
        Ok(None) => Err(LoadError::NoCgroup),
        Err(error) => Err(LoadError::Cgroup { reason: error.to_string() }),
    }
}

fn attach_tracepoint(program: &mut Program, tracepoint: &str, btf: &Btf) -> Result<(), ProgramError> {
    let program: &mut BtfTracePoint = program.try_into()?;
    program.load(tracepoint, btf)?;
    program.attach().map(drop)
}

fn load_iterator(program: &mut Program, over: &str, btf: &Btf) -> Result<(), ProgramError> {
    let program: &mut Iter = program.try_into()?;
    program.load(over, btf)
}

fn attach_sock_ops(program: &mut Program, cgroup: &File) -> Result<(), ProgramError> {
    let program: &mut SockOps = program.try_into()?;
    program.load()?;
    // A link with flags 0: it coexists with the programs of others, and closing its descriptor removes it.
    program.attach(cgroup, CgroupAttachMode::Single).map(drop)
}

fn attach_sock_addr(program: &mut Program, cgroup: &File) -> Result<(), ProgramError> {
    let program: &mut CgroupSockAddr = program.try_into()?;
    program.load()?;
    program.attach(cgroup, CgroupAttachMode::Single).map(drop)
}

/// Opens the task iterator; reading it to its end visits each task once.
pub(super) fn open_tasks(ebpf: &mut Ebpf) -> Result<File, LoadError> {
    let refused = |source: ProgramError| LoadError::program("iter/task", source);
    let program = ebpf.program_mut(TASKS).ok_or(LoadError::NoProgram { program: TASKS })?;
    let iterator: &mut Iter = program.try_into().map_err(refused)?;
    let link = iterator.attach().and_then(|id| iterator.take_link(id)).map_err(refused)?;
    link.into_file().map_err(LoadError::iterator)
}
