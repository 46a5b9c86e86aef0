//! Counts the instructions of each hot path and compares them with a file in the repository. It finds
//! growth that no clock on a shared machine would show, since valgrind's callgrind counts the same
//! whatever else runs. [`outputs`] uses the same program.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::outputs;
use crate::packages;
use crate::step;
use crate::workspace;

/// From the root.
const ACCEPTED: &str = "collector/benches/instructions.txt";

/// The name of the bench, of its program and of the folder for callgrind's files.
const BENCH: &str = "instructions";

/// A path runs this many times, and then twice as many; the difference excludes start and end.
const TIMES: u64 = 500;

/// More growth fails. Less comes from code that has nothing to do with a path.
const LIMIT_PERCENT: u64 = 3;

/// Instructions of one run of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cost {
    path: String,
    instructions: u64,
}

/// Counts and compares; with `accept`, writes the counts into the file instead.
pub(super) fn guard(accept: bool) -> Result<()> {
    packages::install(vec![packages::valgrind()])?;
    let program = program()?;
    let folder = workspace::target(BENCH);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let paths = step::ask(&mut Command::new(&program))?;
    let count = |path: &str| {
        let difference = run(&program, path, 2 * TIMES, &folder)? - run(&program, path, TIMES, &folder)?;
        Ok(Cost { path: path.to_owned(), instructions: difference / TIMES })
    };
    let counted: Vec<Cost> = paths.lines().map(count).collect::<Result<_>>()?;
    let file = workspace::root().join(ACCEPTED);
    if accept {
        fs::write(&file, written(&counted)).with_context(|| format!("cannot write {ACCEPTED}"))?;
        step::say(format_args!("instructions: {ACCEPTED} has the new counts"));
        return Ok(());
    }
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {ACCEPTED}"))?;
    let (compiler, accepted) = read(&text).with_context(|| format!("cannot read {ACCEPTED}"))?;
    judge(&counted, &accepted, &compiler, &folder)?;
    outputs::guard(&program, TIMES, &folder)
}

/// Builds the bench and returns the path of its program.
fn program() -> Result<PathBuf> {
    step::say("instructions: building");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--package", "collector", "--bench", BENCH]);
    let said = step::ask(cargo.args(["--message-format", "json"]))?;
    let executable = said.lines().find_map(|line| {
        let message: Value = line.parse().ok()?;
        let is_ours = message.pointer("/target/name")? == BENCH;
        is_ours.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
    });
    executable.context("cargo did not report the path of the program")
}

/// Instructions of a whole run of the program. The profile of the longer run stays in `folder`.
fn run(program: &Path, path: &str, times: u64, folder: &Path) -> Result<u64> {
    let suffix = if times > TIMES { "" } else { ".half" };
    let out = folder.join(format!("{path}{suffix}.callgrind"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())]);
    let said = step::ask_for_stderr(valgrind.arg(program).args([path, &times.to_string()]))?;
    collected(&said).with_context(|| format!("callgrind printed no count, but {said:?}"))
}

/// Reads callgrind's line `==PID== Collected : COUNT`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.split_once("Collected :"))?;
    line.1.trim().parse().ok()
}

fn judge(counted: &[Cost], accepted: &[Cost], compiler: &str, folder: &Path) -> Result<()> {
    let mut grown = Vec::new();
    for Cost { path, instructions } in counted {
        let before = accepted.iter().find(|cost| cost.path == *path).map(|cost| cost.instructions);
        let shown = match before {
            Some(before) => {
                let change = percent(*instructions, before);
                format!("{path}: {before} → {instructions} ({change:+.1} %)")
            }
            None => format!("{path}: {instructions}, not in the file"),
        };
        step::say(format_args!("instructions: {shown}"));
        if before.is_none_or(|before| instructions * 100 > before * (100 + LIMIT_PERCENT)) {
            grown.push(shown);
        }
    }
    let is_counted = |cost: &&Cost| counted.iter().any(|other| other.path == cost.path);
    let gone = accepted.iter().filter(|cost| !is_counted(cost));
    grown.extend(gone.map(|cost| format!("{}: this path does not exist any more", cost.path)));
    if grown.is_empty() {
        return Ok(());
    }
    let now = machine();
    let other_compiler = if compiler == now {
        String::new()
    } else {
        format!("The file was made with {compiler}, and this is {now}: that alone may be the reason.\n")
    };
    bail!(
        "more instructions than {ACCEPTED} allows, by over {LIMIT_PERCENT} %:\n  {}\n{other_compiler}\
         `callgrind_annotate {}/PATH.callgrind` shows where they go. If they are worth it, type \
         `cargo xtask bench instructions --accept`, and say why in the commit",
        grown.join("\n  "),
        folder.display()
    )
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts below 2^52, and a tenth of a percent is shown"
)]
fn percent(now: u64, before: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

/// The compiler and architecture, on which the counts depend.
fn machine() -> String {
    let rustc = step::ask(Command::new("rustc").arg("--version").current_dir(workspace::root()));
    let version = rustc.as_deref().ok().and_then(|said| said.split_whitespace().nth(1)).unwrap_or("?");
    format!("rustc {version} on {}", env::consts::ARCH)
}

/// The file: a first line with the compiler, then a path and a count on each.
fn written(counted: &[Cost]) -> String {
    let mut text = format!("# made by `cargo xtask bench instructions --accept`, {}\n", machine());
    for Cost { path, instructions } in counted {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{path} {instructions}");
    }
    text
}

/// Reads what [`written`] wrote.
fn read(text: &str) -> Option<(String, Vec<Cost>)> {
    let (first, rest) = text.split_once('\n')?;
    let (_, compiler) = first.strip_prefix("# ")?.split_once(", ")?;
    let cost = |line: &str| {
        let (path, instructions) = line.split_once(' ')?;
        Some(Cost { path: path.to_owned(), instructions: instructions.parse().ok()? })
    };
    Some((compiler.to_owned(), rest.lines().map(cost).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(costs: &[(&str, u64)]) -> Vec<Cost> {
        let cost = |&(path, instructions): &(&str, u64)| Cost { path: path.to_owned(), instructions };
        costs.iter().map(cost).collect()
    }

    fn verdict(counted: &[(&str, u64)], accepted: &[(&str, u64)]) -> Option<String> {
        let outcome = judge(&costs(counted), &costs(accepted), "rustc 1 on x", Path::new("folder"));
        outcome.err().map(|error| error.to_string())
    }

    #[test]
    fn callgrind_s_sum_is_read() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(said), Some(1_234_567));
        assert_eq!(collected("valgrind: no such tool\n"), None);
    }

    #[test]
    fn a_written_file_can_be_read() {
        let counted = costs(&[("a", 1), ("b", 22)]);
        let (compiler, read) = read(&written(&counted)).unwrap();
        assert_eq!((compiler, read), (machine(), counted));
        assert_eq!(super::read("# by hand\na one\n"), None);
    }

    #[test]
    fn a_path_may_grow_by_three_percent_and_shrink_without_limit() {
        assert_eq!(verdict(&[("a", 1_030), ("b", 10)], &[("a", 1_000), ("b", 1_000)]), None);
        let text = verdict(&[("a", 1_031)], &[("a", 1_000)]).unwrap();
        assert!(text.contains("a: 1000 → 1031 (+3.1 %)"), "{text}");
        assert!(text.contains("--accept") && text.contains("made with rustc 1 on x"), "{text}");
    }

    #[test]
    fn a_path_of_only_one_side_is_a_failure() {
        assert!(verdict(&[("a", 1)], &[]).unwrap().contains("not in the file"));
        assert!(verdict(&[], &[("a", 1)]).unwrap().contains("does not exist any more"));
    }
}
