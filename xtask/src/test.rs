//! Every test of the workspace. Tests that drive the agent from outside use its release binary.

use std::env;
use std::ffi::OsString;

use anyhow::Result;

use crate::agent::{self, Profile};
use crate::privilege::Privilege;
use crate::setup::Needs;
use crate::step;
use crate::workspace;

/// The package whose tests load programs into the kernel.
const LIVE: &str = "collector-tests";

/// Starts a test binary as root and keeps the variables that tests read: `CI`, `COLLECTOR_BIN`.
const SUDO: &str = "sudo -E";

/// The seed of property tests. With `CI=true` it is fixed, so that a run depends only on the change;
/// elsewhere each run has new cases.
const SEED: &str = "PROPTEST_RNG_SEED";

/// Builds everything, then runs all tests; `args` go to `cargo test`. Prints nothing after the last lines
/// of the tests.
pub(crate) fn all(args: &[OsString]) -> Result<()> {
    let binary = agent::build(Profile::Release, Needs::Tests)?;
    let cargo_test = || {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--no-fail-fast"]).env("COLLECTOR_BIN", &binary);
        if env::var("CI").as_deref() == Ok("true") && env::var_os(SEED).is_none() {
            cargo.env(SEED, "1");
        }
        cargo
    };
    let everything = ["--workspace", "--exclude", "collector-ebpf"];
    match Privilege::find() {
        Privilege::Root => {
            step::say("tests: all, as root");
            step::pass_through(cargo_test().args(everything).args(args))
        }
        Privilege::None => {
            step::say("tests: all, without root, so live tests are skipped");
            step::pass_through(cargo_test().args(everything).args(args))
        }
        // Selected tests may be in one package only, and cargo refuses a selection that a package lacks.
        Privilege::Sudo if !args.is_empty() => {
            step::say("tests: the chosen ones, as root by sudo");
            step::pass_through(cargo_test().args(everything).args(args).env(runner_variable(), SUDO))
        }
        Privilege::Sudo => {
            step::say(format_args!("tests: all but {LIVE}, as this user"));
            let unprivileged = step::pass_through(cargo_test().args(everything).args(["--exclude", LIVE]));
            step::say(format_args!("tests: {LIVE}, as root by sudo"));
            let mut live = cargo_test();
            live.args(["--package", LIVE]).env(runner_variable(), SUDO);
            step::pass_through(&mut live).and(unprivileged)
        }
    }
}

/// The variable by which cargo starts test binaries of this machine through another program.
fn runner_variable() -> String {
    format!("CARGO_TARGET_{}_UNKNOWN_LINUX_{}_RUNNER", env::consts::ARCH.to_uppercase(), libc_name())
}

fn libc_name() -> &'static str {
    if cfg!(target_env = "musl") { "MUSL" } else { "GNU" }
}
