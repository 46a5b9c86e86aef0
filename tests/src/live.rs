//! Whether live tests can run here.

use std::{
    env,
    io::{self, Write as _},
    num::NonZero,
    path::Path,
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
    say_skipped(obstacle);
    false
}

/// Whether the kernel has MPTCP. Where it has not, says so; under `CI=true` that is a failure, but in a guest of `cargo
/// xtask vm`, whose kernels are not ours to choose, and where the connection of an NFS mount stands for the subflow's.
///
/// # Panics
///
/// Under `CI=true` on a machine that is no guest.
pub fn has_mptcp_or_skip() -> bool {
    if Path::new("/proc/sys/net/mptcp/enabled").exists() {
        return true;
    }
    let obstacle = "needs MPTCP: Linux 5.6 with CONFIG_MPTCP";
    assert!(
        is_emulated() || env::var("CI").as_deref() != Ok("true"),
        "CI=true, and a live test cannot run: {obstacle}"
    );
    say_skipped(obstacle);
    false
}

/// Not by `eprintln!`, which the test harness keeps to itself where a test passes: a skip must not look like a pass.
fn say_skipped(obstacle: &str) {
    let test = thread::current();
    let _ = writeln!(io::stderr(), "skipped: {}: {obstacle}", test.name().unwrap_or("a live test"));
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

const SCALE: &str = "COLLECTOR_TESTS_SCALE";

/// Whether this is a guest of `cargo xtask vm`.
pub fn is_emulated() -> bool {
    env::var_os(SCALE).is_some()
}

/// How many of a thing a test makes: `count`, or as many times fewer as `COLLECTOR_TESTS_SCALE` says, which is for
/// emulated machines, but one at least. It is printed where it is fewer, since a test's name may say another number.
///
/// # Panics
///
/// When the variable is no number above 0.
pub fn scaled(count: u32) -> u32 {
    scaled_to(count, 1)
}

/// The same, but `least` at least.
///
/// # Panics
///
/// When the variable is no number above 0.
pub fn scaled_to(count: u32, least: u32) -> u32 {
    let Ok(scale) = env::var(SCALE) else { return count };
    let scale: NonZero<u32> =
        scale.parse().unwrap_or_else(|_| panic!("{SCALE}={scale} is no number above 0"));
    let fewer = (count / scale).max(least);
    let test = thread::current();
    let _ = writeln!(io::stderr(), "scaled: {}: {fewer} for {count}", test.name().unwrap_or("a live test"));
    fewer
}
