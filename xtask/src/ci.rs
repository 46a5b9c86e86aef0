//! What can be checked without root and without a kernel: the cheap checks first. All of them run, so that
//! one push tells all that is wrong.

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

/// A check and the name under which it is reported.
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

/// Runs every check; the error names those that did not pass.
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
        bail!("these checks did not pass: {}", failed.join(", "));
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

/// On the host's target, with the host's compiler: rustup has no `core` for the BPF target, and a program
/// without std can be checked for any target whose panics abort. A build folder of its own, since the
/// bootstrap variable would make cargo check everything else anew.
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

/// They are a workspace of their own, whose dependencies are those of this one but for libFuzzer.
fn clippy_of_fuzzers() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["clippy", "--manifest-path", FUZZERS, "--locked", "--", "-D", "warnings"]);
    step::show(&mut cargo)
}

fn docs() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["doc", "--no-deps", "--workspace", "--exclude", "collector-ebpf", "--locked"]);
    step::show(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

fn cargo_deny() -> Result<()> {
    let Some(cargo_deny) = workspace::on_path("cargo-deny") else {
        step::say("cargo-deny: left out, it is not installed; the licences were checked above");
        return Ok(());
    };
    step::show(
        Command::new(cargo_deny)
            .current_dir(workspace::root())
            .args(["check", "bans", "licenses", "sources"]),
    )
}
