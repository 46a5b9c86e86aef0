//! The fuzzers: builds all of them with cargo-fuzz and runs each for some seconds, from seeds of this tree
//! and this machine.
//!
//! They need no sanitizer, and so no nightly: the fuzzed code has no `unsafe`, so a fault is a panic, an
//! assertion, an overflow or a hang.

mod seeds;

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::linker::path_with;
use crate::step;
use crate::tool::Tool;
use crate::workspace;

const VERSION: &str = "0.13.2";

/// An input that takes longer is a fault: a record takes microseconds.
const INPUT_LIMIT_SECS: u32 = 5;

/// Longer inputs are slower and find nothing new.
const INPUT_LEN: u32 = 8192;

/// Runs one fuzzer, or all, for this number of seconds each. Inputs that break one are kept below
/// `target/fuzz-found`.
pub(crate) fn run(only: Option<&str>, seconds: u64) -> Result<()> {
    let all = targets()?;
    let chosen: Vec<&String> = all.iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if chosen.is_empty() {
        bail!("no fuzzer has that name; the fuzzers are {}", all.join(", "));
    }
    let tool = Tool {
        name: "cargo-fuzz",
        version: VERSION,
        folder: "fuzz-tools",
        args: &[],
        variables: &[],
        force: false,
    };
    let bin = tool.install()?;
    seeds::write()?;
    step::say("fuzz: building");
    let mut cargo = workspace::cargo();
    cargo
        .args(["fuzz", "build", "--fuzz-dir", "fuzz", "--sanitizer", "none"])
        .args(["--target", &triple(), "--target-dir"])
        .arg(workspace::target("fuzz"))
        .env("PATH", path_with(&bin)?);
    step::show(&mut cargo).context("cannot build the fuzzers")?;
    let mut failed = Vec::new();
    for name in chosen {
        if let Err(error) = one(name, seconds) {
            step::say(format_args!("fuzz: {name}: {error:#}"));
            failed.push(name.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("these fuzzers found a fault: {}", failed.join(", "));
    }
    Ok(())
}

/// The names of the fuzzers, which are those of their files.
fn targets() -> Result<Vec<String>> {
    let dir = workspace::root().join("fuzz/targets");
    let files = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn one(name: &str, seconds: u64) -> Result<()> {
    let corpus = workspace::target("fuzz-corpus").join(name);
    let found = workspace::target("fuzz-found");
    for dir in [&corpus, &found] {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let mut fuzzer = Command::new(workspace::target("fuzz").join(triple()).join("release").join(name));
    fuzzer
        .arg(&corpus)
        .arg(seeds::of(name))
        .arg(format!("-artifact_prefix={}/{name}-", found.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_LIMIT_SECS}"))
        .arg(format!("-max_len={INPUT_LEN}"))
        .arg("-print_final_stats=1");
    let said = step::ask_for_stderr(&mut fuzzer)?;
    let inputs =
        executed(&said).with_context(|| format!("{name} did not report how many inputs it tried"))?;
    step::say(format_args!("fuzz: {name}: {inputs} inputs in {seconds} s, no fault"));
    Ok(())
}

/// Reads libFuzzer's closing lines.
fn executed(said: &str) -> Option<u64> {
    let number = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    number.trim().parse().ok().filter(|&inputs| inputs > 0)
}

fn triple() -> String {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-linux-{libc}", env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::executed;

    #[test]
    fn the_number_of_tried_inputs_is_read() {
        let said = "Done 9 runs in 1 second(s)\nstat::number_of_executed_units: 90210\n";
        assert_eq!(executed(said), Some(90_210));
    }

    #[test]
    fn a_run_without_inputs_is_an_error() {
        assert_eq!(executed("stat::number_of_executed_units: 0\n"), None);
        assert_eq!(executed(""), None);
    }
}
