//! Every check that needs neither root nor a kernel, cheap ones first. All of them run, so one push shows
//! everything that is wrong.

use std::process::Command;

use anyhow::{Result, bail};

use crate::api;
use crate::licences;
use crate::outside;
use crate::step;
use crate::tidy;
use crate::toolchain;
use crate::workspace;

/// From the workspace's root.
const FUZZERS: &str = "fuzz/Cargo.toml";

/// A check and its name in the output.
type Check = (&'static str, fn() -> Result<()>);

const CHECKS: &[Check] = &[
    ("format", format),
    ("tidy", tidy::check),
    ("licences", licences::check),
    ("cargo-deny", cargo_deny),
    ("clippy", clippy),
    ("clippy of the kernel object", clippy_of_kernel_object),
    ("clippy of the fuzzers", clippy_of_fuzzers),
    ("docs", docs),
    ("programs outside", outside::check),
    ("public API", || api::check(false)),
];

/// Runs every check; the error names those that failed.
pub(crate) fn checks() -> Result<()> {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        step::say(format_args!("{name}: checking"));
        if let Err(error) = check() {
            step::say(format_args!("{name}: {error:#}"));
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("these checks failed: {}", failed.join(", "));
    }
    step::say(format_args!("all {} checks passed", CHECKS.len()));
    Ok(())
}

fn format() -> Result<()> {
    step::show(workspace::cargo().args(["fmt", "--all", "--check"]))?;
    step::show(workspace::cargo().args(["fmt", "--manifest-path", FUZZERS, "--check"]))
}

fn clippy() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["clippy", "--workspace", "--exclude", "collector-ebpf", "--all-targets", "--locked"]);
    step::show(cargo.args(["--", "-D", "warnings"]))
}

/// Checks for the host's target with the host's compiler: rustup has no `core` for the BPF target, and a
/// program without std can be checked for any target on which panics abort. It has its own build folder,
/// because the bootstrap variable would make cargo check everything else again.
fn clippy_of_kernel_object() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo
        .args(["clippy", "--package", "collector-ebpf", "--locked", "--", "-D", "warnings"])
        // The workspace's other lints are for code that has an operating system.
        .args(["-D", "clippy::undocumented_unsafe_blocks"])
        .env("CARGO_TARGET_DIR", workspace::target("bpf-clippy"))
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .env("RUSTC_BOOTSTRAP", toolchain::UNSTABLE_CRATES);
    step::show(&mut cargo)
}

/// The fuzzers are a workspace of their own.
fn clippy_of_fuzzers() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["clippy", "--manifest-path", FUZZERS, "--locked", "--", "-D", "warnings"]);
    // Any file: clippy links nothing, and libFuzzer's own sources would take a minute to compile.
    step::show(cargo.env("CUSTOM_LIBFUZZER_PATH", workspace::root().join(FUZZERS)))
}

fn docs() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["doc", "--no-deps", "--workspace", "--exclude", "collector-ebpf", "--locked"]);
    step::show(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

fn cargo_deny() -> Result<()> {
    let Some(cargo_deny) = workspace::on_path("cargo-deny") else {
        step::say("cargo-deny: skipped, because it is not installed; the licences were checked above");
        return Ok(());
    };
    step::show(
        Command::new(cargo_deny)
            .current_dir(workspace::root())
            .args(["check", "bans", "licenses", "sources"]),
    )
}
