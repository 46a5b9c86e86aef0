//! The agent and the tools of Debian that tell of processes: how each is started, at rest, stopped and read.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::bench::load::{Format, Load, Told};
use crate::bench::tool::Tool;
use crate::step;
use crate::workspace;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// `collector run --output file:…`, nothing else set
    Agent,
    /// execsnoop and exitsnoop of libbpf-tools, both at once
    Execsnoop,
    /// forkstat, asked for exec and exit
    Forkstat,
    /// bpftrace with a script that prints argv and exits
    Bpftrace,
    /// auditd with rules for execve and `exit_group`
    Auditd,
}

/// Prints what execsnoop does: the pid and argv of each exec, and the pid of each exit.
const BPFTRACE: &str = "tracepoint:syscalls:sys_enter_execve { printf(\"exec %d \", pid); join(args->argv); } \
                        tracepoint:sched:sched_process_exit { printf(\"exit %d\\n\", pid); }";

/// A peer that watches.
pub(super) struct Running {
    peer: Peer,
    tool: Tool,
    /// Where it writes, if that is not its stdout.
    file: Option<PathBuf>,
    audit_lost: u64,
}

impl Peer {
    pub(super) const ALL: [Self; 5] =
        [Self::Agent, Self::Execsnoop, Self::Forkstat, Self::Bpftrace, Self::Auditd];

    /// As the table shows it.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Agent => "**collector**",
            Self::Execsnoop => "execsnoop + exitsnoop",
            Self::Forkstat => "forkstat",
            Self::Bpftrace => "bpftrace",
            Self::Auditd => "auditd",
        }
    }

    /// What it says of its version.
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

    /// Why it cannot be measured on this machine, if so.
    pub(super) fn obstacle(self) -> Option<String> {
        if self != Self::Auditd {
            return None;
        }
        match audit_status() {
            Ok(status) if status.enabled == 0 && status.daemon == 0 => None,
            Ok(_) => Some("auditing is in use here, and is left as it is".to_owned()),
            Err(error) => Some(format!("{error:#}")),
        }
    }

    /// Starts it and waits until it watches.
    pub(super) fn start(self, directory: &Path) -> Result<Running> {
        let mut file = None;
        let commands = match self {
            Self::Agent => {
                let stream = directory.join("stream.jsonl");
                let command = agent_command(&stream);
                file = Some(stream);
                vec![command]
            }
            Self::Execsnoop => vec![tool("execsnoop", &[]), tool("exitsnoop", &[])],
            Self::Forkstat => vec![tool("forkstat", &["-e", "exec,exit"])],
            Self::Bpftrace => vec![tool("bpftrace", &["-e", BPFTRACE])],
            Self::Auditd => {
                file = Some(audit_configuration(directory)?);
                vec![tool("auditd", &["-n", "-c", &directory.to_string_lossy()])]
            }
        };
        let mut running =
            Running { peer: self, tool: Tool::start(self.name(), commands, directory)?, file, audit_lost: 0 };
        running.tool.settle()?;
        if self == Self::Auditd {
            audit_begin()?;
            running.audit_lost = audit_status()?.lost;
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

    /// Stops it and reads what it told of a load of `count` processes.
    pub(super) fn stop(self, load: &Load, count: u32) -> Result<Told> {
        let Self { peer, tool, file, audit_lost } = self;
        let lost = if peer == Peer::Auditd { audit_end()?.lost.saturating_sub(audit_lost) } else { 0 };
        let outputs = tool.stop()?;
        let format = if peer == Peer::Agent { Format::Stream } else { Format::Text };
        let read = file.as_ref().or(outputs.first()).context("a tool without an output")?;
        let mut told = load.told(format, count, read)?;
        told.lost += lost;
        for path in outputs.iter().chain(&file) {
            fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(told)
    }

    /// Stops it; nobody asks what it told.
    pub(super) fn stop_unread(self) -> Result<()> {
        let outputs = self.tool.stop()?;
        outputs.iter().chain(&self.file).try_for_each(|path| {
            fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
        })
    }
}

/// The agent that `cargo xtask build` made.
pub(super) fn agent() -> PathBuf {
    workspace::target("release/collector")
}

/// With its default settings and none of the user's.
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

fn package(name: &str) -> String {
    let mut query = Command::new("dpkg-query");
    step::ask(query.args(["--show", "--showformat", "${Version}", name])).unwrap_or_else(|_| "?".to_owned())
}

/// What `auditctl -s` says.
struct AuditStatus {
    enabled: u64,
    /// The daemon's pid; 0: there is none.
    daemon: u64,
    lost: u64,
}

fn audit_status() -> Result<AuditStatus> {
    let said = step::ask(&mut tool("auditctl", &["-s"])).context("auditing cannot be asked about here")?;
    let number = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.trim().parse().ok()).with_context(|| format!("no {name} in {said:?}"))
    };
    Ok(AuditStatus { enabled: number("enabled")?, daemon: number("pid")?, lost: number("lost")? })
}

/// A configuration that keeps all in one file, and the backlog of Debian's own rules.
fn audit_configuration(directory: &Path) -> Result<PathBuf> {
    let log = directory.join("audit.log");
    let configuration = format!(
        "log_file = {}\nlog_format = RAW\nlog_group = root\nflush = INCREMENTAL_ASYNC\nfreq = 50\n\
         max_log_file_action = IGNORE\nspace_left = 2\nadmin_space_left = 1\nspace_left_action = IGNORE\n\
         admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n",
        log.display()
    );
    let path = directory.join("auditd.conf");
    fs::write(&path, configuration).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(log)
}

const AUDIT_RULES: [&[&str]; 4] = [
    &["-b", "8192"],
    &["-a", "always,exit", "-F", "arch=b64", "-S", "execve"],
    &["-a", "always,exit", "-F", "arch=b64", "-S", "exit_group"],
    &["-e", "1"],
];

fn audit_begin() -> Result<()> {
    AUDIT_RULES.iter().try_for_each(|rule| step::ask(&mut tool("auditctl", rule)).map(drop))
}

/// No rules and no auditing, as it was before: [`Peer::obstacle`] has seen to that.
fn audit_end() -> Result<AuditStatus> {
    let status = audit_status()?;
    let undone = [&["-e", "0"][..], &["-D"], &["-b", "64"]];
    for undo in undone {
        if step::ask(&mut tool("auditctl", undo)).is_err() {
            bail!("auditing stays on; turn it off by `auditctl -e 0; auditctl -D`");
        }
    }
    Ok(status)
}
