//! Counts what more outputs cost the thread that reads the ring: nothing. Everything that an output does, it does on a thread of
//! its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step;

/// Numbers of outputs. The first is what the others are compared with.
const OUTPUTS: [u64; 3] = [1, 4, 100];

/// The count depends a little on how far the other threads are: whether one has returned the memory of a batch, and whether
/// one waits to be woken. The least of so many runs counts.
const RUNS: u32 = 3;

/// More growth fails, in tenths of a percent.
const LIMIT_TENTHS: u64 = 10;

/// Counts `times` lives and compares. `program` is the bench `instructions`.
pub(super) fn guard(program: &Path, times: u64, folder: &Path) -> Result<()> {
    let mut counted = Vec::new();
    for outputs in OUTPUTS {
        let instructions = per_life(program, outputs, times, folder)?;
        step::say(format_args!("instructions: outputs-{outputs}: {instructions} on the thread of the ring"));
        counted.push((outputs, instructions));
    }
    judge(&counted)
}

/// Instructions of the pipeline's thread for one life, with so many outputs.
fn per_life(program: &Path, outputs: u64, times: u64, folder: &Path) -> Result<u64> {
    let least = |times| -> Result<u64> {
        let runs = (0..RUNS).map(|_| run(program, outputs, times, folder)).collect::<Result<Vec<_>>>()?;
        runs.into_iter().min().context("no run")
    };
    Ok(least(2 * times)?.saturating_sub(least(times)?) / times)
}

/// Instructions of the main thread, on which the pipeline runs.
fn run(program: &Path, outputs: u64, times: u64, folder: &Path) -> Result<u64> {
    let path = format!("outputs-{outputs}");
    let out = folder.join(format!("{path}.callgrind"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--separate-threads=yes", "--fair-sched=yes"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    step::ask(valgrind.arg(program).args([&path, &times.to_string()]))?;
    // One file for each thread. The numbers begin with the main thread.
    let file = folder.join(format!("{path}.callgrind-01"));
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    total(&text).with_context(|| format!("{} has no line `totals: COUNT`", file.display()))
}

/// Reads the line `totals: COUNT` of a profile.
fn total(profile: &str) -> Option<u64> {
    profile.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

fn judge(counted: &[(u64, u64)]) -> Result<()> {
    let Some((&(first, least), others)) = counted.split_first() else { return Ok(()) };
    for (outputs, instructions) in others {
        if instructions * 1000 > least * (1000 + LIMIT_TENTHS) {
            bail!(
                "{outputs} outputs cost the thread that reads the ring more than {first} does: {instructions} \
                 instructions for a life instead of {least}. What an output does belongs on its own thread: see \
                 collector-stream/src/output"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_a_profile_is_read() {
        assert_eq!(total("events: Ir\nfn=(1) main\n3 7\ntotals: 1234\n"), Some(1234));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn more_outputs_may_cost_one_percent() {
        assert!(judge(&[(1, 50_000), (4, 50_500), (100, 49_000)]).is_ok());
        let error = judge(&[(1, 50_000), (4, 50_000), (100, 50_501)]).unwrap_err().to_string();
        assert!(error.starts_with("100 outputs cost"), "{error}");
    }
}
