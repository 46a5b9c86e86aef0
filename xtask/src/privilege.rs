//! Root, for apt, the agent and the live tests. Nothing else runs as root.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Result, bail};

use crate::step;
use crate::workspace;

/// How this process can run a command as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// The process is root.
    Root,
    /// sudo is installed, and either needs no password or can request it at a terminal.
    Sudo,
    /// A person must run it.
    None,
}

impl Privilege {
    pub(crate) fn find() -> Self {
        if is_root() {
            return Self::Root;
        }
        let sudo = workspace::on_path("sudo").is_some();
        let answers =
            || io::stdin().is_terminal() || step::succeeds(Command::new("sudo").args(["-n", "true"]));
        if sudo && answers() { Self::Sudo } else { Self::None }
    }

    /// Makes a command that runs `program` as root with the variables named in `kept`. The error says what
    /// a person must type instead.
    pub(crate) fn command<S: AsRef<OsStr>>(
        self,
        program: &OsStr,
        args: &[S],
        kept: &[String],
    ) -> Result<Command> {
        let mut command = match self {
            Self::Root => Command::new(program),
            Self::Sudo => {
                let mut sudo = Command::new("sudo");
                if !kept.is_empty() {
                    sudo.arg(format!("--preserve-env={}", kept.join(",")));
                }
                sudo.arg("--").arg(program);
                sudo
            }
            Self::None => {
                let mut typed = Command::new(program);
                typed.args(args);
                bail!(
                    "this needs root, and sudo cannot be used here; as root, type:\n  {}",
                    step::shown(&typed)
                )
            }
        };
        command.args(args);
        Ok(command)
    }
}

/// The owner of `/proc/self` is the effective user of this process (proc(5)).
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_or_sudo_the_error_says_what_to_type() {
        let error = Privilege::None.command(OsStr::new("apt-get"), &["install", "x"], &[]).unwrap_err();
        assert!(error.to_string().ends_with("type:\n  apt-get install x"), "{error}");
    }

    #[test]
    fn sudo_takes_no_option_from_the_program() {
        let command = Privilege::Sudo.command(OsStr::new("/bin/x"), &["-n"], &[]).unwrap();
        assert_eq!(step::shown(&command), "sudo -- /bin/x -n");
    }

    #[test]
    fn sudo_keeps_the_variables_that_are_named() {
        let kept = ["RUST_LOG", "COLLECTOR_CONFIG"].map(str::to_owned);
        let command = Privilege::Sudo.command(OsStr::new("/bin/x"), &["run"], &kept).unwrap();
        assert_eq!(step::shown(&command), "sudo --preserve-env=RUST_LOG,COLLECTOR_CONFIG -- /bin/x run");
    }
}
