//! The one list of hooks, and how each kind is loaded and attached.

use std::{fs::File, io};

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, CgroupSockAddr, Iter, Program, ProgramError, SockOps},
};

use super::{LoadError, standby::Standby};

/// The part of the agent's work that a hook serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing works without it.
    Processes,
    /// What ran before the agent.
    Scan,
    /// Connections.
    Connections,
    /// Rules on cgroups that are made while the agent runs. Attached where there are such rules.
    Cgroups,
}

impl Part {
    /// Its name for users.
    #[must_use]
    pub fn feature(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Scan => "processes that ran before the agent",
            Self::Connections => "connections",
            Self::Cgroups => "filters by cgroup",
        }
    }
}

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
    /// What users see: kind and place, as the kernel names them.
    pub name: &'static str,
    /// What it serves.
    pub part: Part,
    program: &'static str,
    /// Tells what the kernel does not run the program for: see [`Standby`](super::standby::Standby).
    standby: Option<&'static str>,
    attach: Attach,
}

const TASKS: &str = "running_tasks";

/// Every hook, in the order in which they are attached.
pub const HOOKS: &[Hook] = &[
    // First, so that what the others judge by is there.
    tracepoint("tp_btf/cgroup_mkdir", "cgroup_mkdir", Part::Cgroups),
    tracepoint("tp_btf/cgroup_rmdir", "cgroup_rmdir", Part::Cgroups),
    tracepoint("tp_btf/sched_process_exit", "sched_process_exit", Part::Processes)
        .with("sched_process_exit_2"),
    tracepoint("tp_btf/sched_process_exec", "sched_process_exec", Part::Processes)
        .with("sched_process_exec_2"),
    tracepoint("tp_btf/sched_process_fork", "sched_process_fork", Part::Processes)
        .with("sched_process_fork_2"),
    hook("iter/task", TASKS, Part::Scan, Attach::Iterator("task")),
    // Before sock_ops, so that no connect is without its result.
    tracepoint("tp_btf/inet_sock_set_state", "inet_sock_set_state", Part::Connections)
        .with("inet_sock_set_state_2"),
    hook("sock_ops", "tcp_connect", Part::Connections, Attach::SockOps),
    sock_addr("cgroup/connect4", "udp_connect4"),
    sock_addr("cgroup/connect6", "udp_connect6"),
    sock_addr("cgroup/sendmsg4", "udp_sendmsg4"),
    sock_addr("cgroup/sendmsg6", "udp_sendmsg6"),
];

const fn hook(name: &'static str, program: &'static str, part: Part, attach: Attach) -> Hook {
    Hook { name, part, program, standby: None, attach }
}

const fn tracepoint(name: &'static str, tracepoint: &'static str, part: Part) -> Hook {
    hook(name, tracepoint, part, Attach::Tracepoint(tracepoint))
}

const fn sock_addr(name: &'static str, program: &'static str) -> Hook {
    hook(name, program, Part::Connections, Attach::SockAddr)
}

impl Hook {
    const fn with(self, standby: &'static str) -> Self {
        Self { standby: Some(standby), ..self }
    }

    /// Attaches the program that stands by for that of [`Hook::attach`], which is attached already: programs of a
    /// tracepoint run in the order in which they were attached.
    pub(super) fn attach_standby(&self, ebpf: &mut Ebpf, btf: &Btf) -> Result<(), LoadError> {
        match self.standby {
            // It has the hook's program in no other place.
            Some(program) => Self { program, ..*self }.attach(ebpf, btf, &Ok(None)),
            None => Ok(()),
        }
    }

    /// Loads the program and attaches it; the iterator is only loaded. `cgroup` is the root of cgroup v2, or why there is
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
        .map_err(|source| LoadError::Program { hook: self.name, source: Box::new(source) })
    }

    /// Attaches the program as [`Hook::attach`] does, the iterator too, and takes it out of the kernel again.
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
        unload(program).map_err(|source| LoadError::Program { hook: self.name, source: Box::new(source) })
    }

    /// The option of the kernel's configuration without which it cannot be attached.
    #[must_use]
    pub fn kernel_config(&self) -> &'static str {
        match self.attach {
            Attach::Tracepoint(_) | Attach::Iterator(_) => "CONFIG_BPF_EVENTS",
            Attach::SockOps | Attach::SockAddr => "CONFIG_CGROUP_BPF",
        }
    }
}

/// The program that stands by for this one, where one does.
pub(super) fn standby_of(program: &str, standby: Standby) -> Option<&'static str> {
    let hook = HOOKS.iter().find(|hook| hook.program == program)?;
    hook.standby.filter(|_| standby.is_needed_for(hook.part))
}

/// Detaches the program, too.
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
    // A link with flags 0: it lives beside the programs of others and goes with its descriptor.
    program.attach(cgroup, CgroupAttachMode::Single).map(drop)
}

fn attach_sock_addr(program: &mut Program, cgroup: &File) -> Result<(), ProgramError> {
    let program: &mut CgroupSockAddr = program.try_into()?;
    program.load()?;
    program.attach(cgroup, CgroupAttachMode::Single).map(drop)
}

/// Opens the task iterator; each read of it goes over all tasks once.
pub(super) fn open_tasks(ebpf: &mut Ebpf) -> Result<File, LoadError> {
    let refused = |source| LoadError::Program { hook: "iter/task", source: Box::new(source) };
    let program = ebpf.program_mut(TASKS).ok_or(LoadError::NoProgram { program: TASKS })?;
    let iterator: &mut Iter = program.try_into().map_err(refused)?;
    let link = iterator.attach().and_then(|id| iterator.take_link(id)).map_err(refused)?;
    Ok(link.into_file()?)
}
