//! The agent and Debian's tools that report processes: starts, stops and reads each.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::bench::audit::{self, Auditing};
use crate::bench::load::{Format, Load, Reported};
use crate::bench::tool::Tool;
use crate::step;
use crate::workspace;

/// A tool that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// `collector run --output file:…` with its defaults
    Agent,
    /// execsnoop and exitsnoop of libbpf-tools, both at once
    Execsnoop,
    /// forkstat, for exec and exit
    Forkstat,
    /// bpftrace with a script that prints argv and exits
    Bpftrace,
    /// auditd with rules for execve and `exit_group`
    Auditd,
}

/// Prints the same as execsnoop: pid and argv of each exec, pid of each exit.
const BPFTRACE: &str = "tracepoint:syscalls:sys_enter_execve { printf(\"exec %d \", pid); join(args->argv); } \
                        tracepoint:sched:sched_process_exit { printf(\"exit %d\\n\", pid); }";

/// A tool that runs.
pub(super) struct Running {
    peer: Peer,
    tool: Tool,
    /// The file that it writes, if it is not its stdout.
    file: Option<PathBuf>,
    auditing: Option<Auditing>,
}

impl Peer {
    pub(super) const ALL: [Self; 5] =
        [Self::Agent, Self::Execsnoop, Self::Forkstat, Self::Bpftrace, Self::Auditd];

    /// Its name in the table.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Agent => "**collector**",
            Self::Execsnoop => "execsnoop + exitsnoop",
            Self::Forkstat => "forkstat",
            Self::Bpftrace => "bpftrace",
            Self::Auditd => "auditd",
        }
    }

    /// Its version.
    pub(super) fn version(self) -> String {
        let mut command = match self {
            Self::Agent => Command::new(agent()),
            Self::Execsnoop => return package("libbpf-tools"),
            Self::Forkstat => return package("forkstat"),
            Self::Bpftrace => return package("bpftrace"),
            Self::Auditd => return package("auditd"),
        };
        let said = step::ask(command.arg("--version")).unwrap_or_default();
        said.split_whitespace().last().unwrap_or("?").to_owned()
    }

    /// Why it cannot be measured on this machine; `None` where it can.
    pub(super) fn obstacle(self) -> Option<String> {
        if self == Self::Auditd { audit::obstacle() } else { None }
    }

    /// Starts it and waits until it is ready.
    pub(super) fn start(self, directory: &Path) -> Result<Running> {
        let mut file = None;
        let commands = match self {
            Self::Agent => {
                let stream = directory.join("stream.jsonl");
                let command = agent_command(&stream);
                file = Some(stream);
                vec![command]
            }
            Self::Execsnoop => vec![tracer("execsnoop", &[]), tracer("exitsnoop", &[])],
            Self::Forkstat => vec![tool("forkstat", &["-e", "exec,exit"])],
            Self::Bpftrace => vec![tracer("bpftrace", &["-e", BPFTRACE])],
            Self::Auditd => {
                file = Some(audit::configure(directory)?);
                vec![tool("auditd", &["-n", "-c", &directory.to_string_lossy()])]
            }
        };
        let tool = Tool::start(self.name(), commands, directory)?;
        let mut running = Running { peer: self, tool, file, auditing: None };
        running.tool.settle()?;
        if self == Self::Auditd {
            running.auditing = Some(Auditing::begin()?);
            running.tool.with_thread("kauditd");
        }
        Ok(running)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Execsnoop => "execsnoop",
            Self::Forkstat => "forkstat",
            Self::Bpftrace => "bpftrace",
            Self::Auditd => "auditd",
        }
    }
}

impl Running {
    pub(super) fn settle(&self) -> Result<()> {
        self.tool.settle()
    }

    pub(super) fn cpu(&self) -> Result<Duration> {
        self.tool.cpu()
    }

    pub(super) fn memory(&self, name: &str) -> Result<u64> {
        self.tool.memory(name)
    }

    /// Stops it and reads what it reported about a load of `count` processes.
    pub(super) fn stop(self, load: &Load, count: u32) -> Result<Reported> {
        let Self { peer, tool, file, auditing } = self;
        let lost = auditing.as_ref().map_or(Ok(0), Auditing::lost)?;
        drop(auditing);
        // auditd ignores SIGINT, and the snoops write their last lines only on SIGINT.
        let outputs = tool.stop_by(if peer == Peer::Auditd { "TERM" } else { "INT" })?;
        let format = if peer == Peer::Agent { Format::Stream } else { Format::Text };
        let read = file.as_ref().or(outputs.first()).context("a tool without an output")?;
        let mut reported = load.reported(format, count, read)?;
        reported.lost += lost;
        for path in outputs.iter().chain(&file) {
            fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(reported)
    }

    /// Stops it without reading its output.
    pub(super) fn stop_unread(self) -> Result<()> {
        let outputs = self.tool.stop()?;
        outputs.iter().chain(&self.file).try_for_each(|path| {
            fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
        })
    }
}

/// The binary that `cargo xtask build` made.
pub(super) fn agent() -> PathBuf {
    workspace::target("release/collector")
}

/// The agent with its default settings and without the user's variables.
pub(super) fn agent_command(stream: &Path) -> Command {
    let mut command = Command::new(agent());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("COLLECTOR_")) {
        command.env_remove(name);
    }
    command.args(["run", "--output"]).arg(format!("file:{}", stream.display()));
    command
}

fn tool(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(workspace::on_path(program).unwrap_or_else(|| program.into()));
    command.args(args);
    command
}

/// A tool that reads tracefs. Where tracefs is not mounted, the tool gets it in a mount namespace of its
/// own. It may lock as much memory as the machine allows, since bpftrace needs it.
fn tracer(program: &str, args: &[&str]) -> Command {
    const PREPARED: &str = "ulimit -l unlimited 2>/dev/null || ulimit -l \"$(ulimit -H -l)\"
        mount -t tracefs tracefs /sys/kernel/tracing && mount -t debugfs debugfs /sys/kernel/debug && exec \"$@\"";
    let tool = tool(program, args);
    if Path::new("/sys/kernel/tracing/events").is_dir() {
        return tool;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", PREPARED, "sh"]).arg(tool.get_program()).args(tool.get_args());
    command
}

fn package(name: &str) -> String {
    let mut query = Command::new("dpkg-query");
    step::ask(query.args(["--show", "--showformat", "${Version}", name])).unwrap_or_else(|_| "?".to_owned())
}
