//! The functions of the hot path beside their lower bounds: criterion measures them, and the figures go
//! into the table of goals.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::report;
use crate::step;
use crate::workspace;

/// Processes in one run of the group `pipeline`.
const PROCESSES: f64 = 4_000.0;

/// Reads of /proc: criterion's group, and the start of the goal's row.
const READS: &[(&str, &str)] = &[
    ("env", "env of 4,096 bytes and 65 variables"),
    ("parent", "parent pid"),
    ("cmdline", "cmdline"),
    ("statm", "statm"),
    ("io", "io"),
    ("path", "path"),
];

/// Runs all benchmarks, shows criterion's output, and writes the medians into the page.
pub(super) fn measure() -> Result<()> {
    let allocations = bench()?;
    let execs = PROCESSES * 1e9 / median_ns("pipeline", "execs")?;
    let lives = PROCESSES * 1e9 / median_ns("pipeline", "lives")?;
    report::put_goal(
        "exec events from recorded bytes to lines, a second on one core",
        &format!("{execs:.0} ({lives:.0} with a fork and an exit for each)"),
    )?;
    let decode = median_ns("decode_exec", "")?;
    report::put_goal("decoding an exec record", &format!("{decode:.0} ns"))?;
    let known = median_ns("ancestor_known", "")?;
    report::put_goal("an ancestor that is known", &format!("{known:.0} ns, no /proc"))?;
    for (group, goal) in READS {
        let (ours, floor) = (median_ns(group, "ours")?, median_ns(group, "floor")?);
        let count = count_of(&allocations, group)?;
        let measured = format!("{:.2} ({ours:.0} ns of {floor:.0}), {count} allocations", ours / floor);
        report::put_goal(&format!("{goal} from /proc, against the floor"), &measured)?;
    }
    Ok(())
}

/// Runs the benchmarks and returns their lines `allocations GROUP COUNT`.
fn bench() -> Result<Vec<String>> {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--package", "collector", "--bench", "functions"]).stdout(Stdio::piped());
    let mut child = cargo.spawn().with_context(|| format!("cannot start {}", step::shown(&cargo)))?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    let mut allocations = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read the output of criterion")?;
        writeln!(io::stdout(), "{line}").context("cannot write the output of criterion")?;
        allocations.extend(line.strip_prefix("allocations ").map(str::to_owned));
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("{status} from `{}`", step::shown(&cargo));
    }
    Ok(allocations)
}

fn count_of(allocations: &[String], group: &str) -> Result<String> {
    let count = allocations.iter().find_map(|line| line.strip_prefix(group)?.strip_prefix(' '));
    count.map(str::to_owned).with_context(|| format!("the allocations of {group} were not counted"))
}

/// The median that criterion has just written; `name` is empty for a benchmark without a group.
fn median_ns(group: &str, name: &str) -> Result<f64> {
    let path = workspace::target("criterion").join(group).join(name).join("new/estimates.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    read_median(&text).with_context(|| format!("no median in {}", path.display()))
}

fn read_median(text: &str) -> Option<f64> {
    let estimates: Value = text.parse().ok()?;
    estimates.pointer("/median/point_estimate")?.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterion_s_median_is_read() {
        let text = r#"{"mean":{"point_estimate":3.0},"median":{"point_estimate":2.5}}"#;
        assert_eq!(read_median(text), Some(2.5));
        assert_eq!(read_median("{}"), None);
    }

    #[test]
    fn allocations_are_found_by_the_whole_name() {
        let lines = ["environment 4".to_owned(), "env 0".to_owned()];
        assert_eq!(count_of(&lines, "env").unwrap(), "0");
        assert!(count_of(&lines, "path").is_err());
    }
}
