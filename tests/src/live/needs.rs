//! What a live test needs of the machine, and how it is skipped where that is missing.
//!
//! A skipped test is printed as `ignored`, with the reason. Under `CI=true` a test that must be skipped fails.

use std::{env, fs::File, panic, path::Path, sync::OnceLock};

use super::scale::is_emulated;
use crate::agent::Agent;

/// Why a test does not run.
#[derive(Clone, Debug)]
pub(super) struct Skip {
    pub(super) reason: String,
    /// Whether `CI=true` permits it.
    pub(super) is_permitted_in_ci: bool,
}

/// Ends the test that calls it as skipped. Under `CI=true` it fails instead.
pub fn skip(reason: &str) -> ! {
    end_with(Skip { reason: reason.to_owned(), is_permitted_in_ci: false })
}

/// The harness catches it by its type; a `panic!` would print a backtrace.
pub(super) fn end_with(skip: Skip) -> ! {
    panic::resume_unwind(Box::new(skip))
}

/// Skips the test unless it runs as root.
pub fn root() {
    if !rustix::process::geteuid().is_root() {
        skip("needs root");
    }
}

/// Skips the test where tests cannot serve a file system.
pub fn fuse() {
    if File::options().read(true).write(true).open("/dev/fuse").is_err() {
        skip("needs a kernel with FUSE: /dev/fuse cannot be opened");
    }
}

/// Skips the test where the kernel has no MPTCP. In a guest of `cargo xtask vm` that is no failure: its kernels are not
/// ours to choose, and there the connection of an NFS mount shows the same.
pub fn mptcp() {
    if !Path::new("/proc/sys/net/mptcp/enabled").exists() {
        let reason = "needs MPTCP: Linux 5.6 with CONFIG_MPTCP".to_owned();
        end_with(Skip { reason, is_permitted_in_ci: is_emulated() });
    }
}

/// Skips the test where kernel threads cannot be seen.
pub fn kernel_threads() {
    let kthreadd = std::fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if kthreadd.trim() != "kthreadd" {
        skip("needs the PID namespace of the machine, which shows kernel threads");
    }
}

/// Skips the test anywhere but in a guest of `cargo xtask vm`: only there the file with its orders exists.
pub fn guest() {
    if !Path::new("/guest").exists() {
        skip("needs a guest of `cargo xtask vm`");
    }
}

/// What keeps the agent from running here. It is tried once for all tests.
///
/// # Panics
///
/// When the agent fails in another way than by a kernel or privileges that it cannot work with.
pub(super) fn obstacle_of_agent() -> Option<Skip> {
    static TRIED: OnceLock<Result<Option<String>, String>> = OnceLock::new();
    match TRIED.get_or_init(try_agent) {
        Ok(obstacle) => obstacle.clone().map(|reason| Skip { reason, is_permitted_in_ci: false }),
        Err(failure) => panic!("{failure}"),
    }
}

/// The reason why it cannot run, or how it failed.
fn try_agent() -> Result<Option<String>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Some("needs root, for programs in the kernel".to_owned()));
    }
    match Agent::try_start(&["--event", "exec"]) {
        Ok(agent) => {
            agent.stop();
            Ok(None)
        }
        Err(run) => match run.exit_code() {
            Some(code @ (69 | 77)) => {
                let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
                Ok(Some(format!(
                    "needs a kernel and privileges that collector can work with; on {} it ended with {code}: {}",
                    release.trim(),
                    run.stderr.trim()
                )))
            }
            _ => Err(format!("collector does not start: {run}")),
        },
    }
}

/// Whether a test that must be skipped fails.
pub(super) fn is_ci() -> bool {
    env::var("CI").as_deref() == Ok("true")
}
