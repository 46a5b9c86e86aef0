//! Whether live tests can run here.

use std::{
    env,
    io::{self, Write as _},
    sync::OnceLock,
    thread,
};

use crate::agent::Agent;

/// Whether the agent can run here. Where it cannot, says so and why; under `CI=true` that is a failure.
///
/// # Panics
///
/// Under `CI=true` where the agent cannot run.
pub fn live_or_skip() -> bool {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    OBSTACLE.get_or_init(obstacle).as_deref().is_none_or(skip)
}

/// Whether tests can serve a file system here. Where they cannot, says so; under `CI=true` that is a failure.
///
/// # Panics
///
/// Under `CI=true` where they cannot.
pub fn fuse_or_skip() -> bool {
    let device = std::fs::File::options().read(true).write(true).open("/dev/fuse");
    device.is_ok() || skip("needs a kernel with FUSE: /dev/fuse cannot be opened")
}

/// Says why a test does not run; answers `false`.
fn skip(obstacle: &str) -> bool {
    assert!(env::var("CI").as_deref() != Ok("true"), "CI=true, and a live test cannot run: {obstacle}");
    // Not by `eprintln!`, which the test harness keeps to itself where a test passes: a skip must not look like a pass.
    let test = thread::current();
    let _ = writeln!(io::stderr(), "skipped: {}: {obstacle}", test.name().unwrap_or("a live test"));
    false
}

/// Not root, or a kernel that the agent says it cannot work with. Any other failure of the agent is a failure.
fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root, for programs in the kernel".to_owned());
    }
    match Agent::try_start(&["--event", "exec"]) {
        Ok(agent) => {
            agent.stop();
            None
        }
        Err(run) => match run.exit_code() {
            Some(code @ (69 | 77)) => {
                let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
                Some(format!(
                    "needs a kernel and privileges that collector can work with; on {} it ended with {code}: {}",
                    release.trim(),
                    run.stderr.trim()
                ))
            }
            _ => panic!("collector does not start: {run}"),
        },
    }
}
