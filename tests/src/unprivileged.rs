//! The agent's binary, run by a user without privileges.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use tempfile::TempDir;

use crate::agent;

/// A user without privileges.
const NOBODY: &str = "65534";

/// A copy of the binary where every user can run it: the workspace may be in a home directory.
#[derive(Debug)]
pub struct Unprivileged {
    directory: TempDir,
}

impl Unprivileged {
    /// Makes the copy.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let copy = directory.path().join("collector");
        // By another process: a file that this one has open for writing cannot be run, nor while a fork of another test's
        // thread has it open.
        let copied = Command::new("cp").arg(agent::binary()).arg(&copy).status().unwrap();
        assert!(copied.success(), "cp: {copied}");
        set_permissions(copy, Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    /// `collector` with these arguments. Where the tests run without privileges themselves, it runs as their user.
    pub fn command(&self, args: &[&str]) -> Command {
        if !rustix::process::geteuid().is_root() {
            return agent::command(args);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        command.arg(self.directory.path().join("collector")).args(args);
        command
    }
}

impl Default for Unprivileged {
    fn default() -> Self {
        Self::new()
    }
}
