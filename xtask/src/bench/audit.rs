//! The kernel's auditing: on while auditd is measured, and off again in any case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::step;
use crate::workspace;

/// The backlog is that of Debian's own rules.
const RULES: [&[&str]; 4] = [
    &["-b", "8192"],
    &["-a", "always,exit", "-F", "arch=b64", "-S", "execve"],
    &["-a", "always,exit", "-F", "arch=b64", "-S", "exit_group"],
    &["-e", "1"],
];

/// Restores the state before: no auditing and no rules, which [`obstacle`] has checked. 64 is the kernel's
/// default backlog.
const UNDONE: [&[&str]; 3] = [&["-e", "0"], &["-D"], &["-b", "64"]];

/// Auditing is on while this value lives.
pub(super) struct Auditing {
    lost_before: u64,
}

/// The output of `auditctl -s`.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    enabled: u64,
    /// The daemon's pid; 0 without a daemon.
    daemon: u64,
    lost: u64,
}

impl Auditing {
    pub(super) fn begin() -> Result<Self> {
        let auditing = Self { lost_before: status()?.lost };
        RULES.iter().try_for_each(|rule| step::ask(&mut auditctl(rule)).map(drop))?;
        Ok(auditing)
    }

    /// Records that the kernel has dropped since auditing began.
    pub(super) fn lost(&self) -> Result<u64> {
        Ok(status()?.lost.saturating_sub(self.lost_before))
    }
}

impl Drop for Auditing {
    fn drop(&mut self) {
        for undo in UNDONE {
            if let Err(error) = step::ask(&mut auditctl(undo)) {
                step::say(format_args!("auditing may still be on: {error:#}"));
            }
        }
    }
}

/// Why auditd cannot be measured here; `None` where it can.
pub(super) fn obstacle() -> Option<String> {
    let in_use = |status: &Status| {
        // The kernel remembers a killed daemon until it has the next message for it.
        status.enabled != 0 || (status.daemon != 0 && Path::new(&format!("/proc/{}", status.daemon)).exists())
    };
    match status() {
        Ok(status) if in_use(&status) => Some("auditing is in use on this machine".to_owned()),
        Ok(_) => None,
        Err(error) => Some(format!("{error:#}")),
    }
}

/// Writes auditd's configuration and returns the path of its log.
pub(super) fn configure(directory: &Path) -> Result<PathBuf> {
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

fn status() -> Result<Status> {
    let said = step::ask(&mut auditctl(&["-s"])).context("cannot ask for the state of auditing")?;
    parse(&said).with_context(|| format!("auditctl -s said {said:?}"))
}

fn parse(said: &str) -> Option<Status> {
    let number = |name: &str| -> Option<u64> {
        said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.trim().parse().ok()
    };
    Some(Status { enabled: number("enabled")?, daemon: number("pid")?, lost: number("lost")? })
}

fn auditctl(args: &[&str]) -> Command {
    let mut command = Command::new(workspace::on_path("auditctl").unwrap_or_else(|| "auditctl".into()));
    command.args(args);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_by_its_names() {
        let said = "enabled 0\nfailure 1\npid 7\nbacklog_limit 64\nlost 3\nbacklog 0\n";
        assert_eq!(parse(said), Some(Status { enabled: 0, daemon: 7, lost: 3 }));
        assert_eq!(parse("You must be root"), None);
    }
}
