//! The load generator of the tests package, and `reported`, which counts the processes of the load that a tool reported.
//!
//! Both are programs of their own, since xtask is compiled without optimization.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::step;
use crate::workspace;

/// Both programs, built.
pub(super) struct Load {
    /// The folder of the two programs.
    programs: PathBuf,
}

/// A finished run of the load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) count: u32,
    pub(super) wall: Duration,
}

/// What a tool reported about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported {
    /// Processes reported with all arguments.
    pub(super) caught: u32,
    /// Events that the tool itself reports as lost.
    pub(super) lost: u64,
    /// `capture.lag_ns` of the agent's records; 0 for other tools.
    pub(super) lag_p50_ns: u64,
    pub(super) lag_p99_ns: u64,
}

/// How a tool's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Stream,
}

impl Load {
    pub(super) fn build() -> Result<Self> {
        step::say("load generator: building");
        let mut cargo = workspace::cargo();
        cargo.args([
            "build",
            "--package",
            "collector-tests",
            "--bin",
            "load",
            "--bin",
            "reported",
            "--release",
        ]);
        step::show(&mut cargo).context("cannot build the load generator")?;
        Ok(Self { programs: workspace::target("release") })
    }

    /// Starts `count` processes, at `rate` a second; 0 is as fast as two parents can.
    pub(super) fn execs(&self, count: u32, rate: u32) -> Result<Made> {
        self.run(&["execs", &count.to_string(), &rate.to_string()])
    }

    /// Starts 1,250 processes within 100 ms of each second.
    pub(super) fn bursts(&self, seconds: u32) -> Result<Made> {
        self.run(&["bursts", &seconds.to_string()])
    }

    /// Opens `count` connections over loopback.
    pub(super) fn connects(&self, count: u32) -> Result<Made> {
        self.run(&["connects", &count.to_string()])
    }

    /// Reads a tool's output about a load of `count` processes.
    pub(super) fn reported(&self, format: Format, count: u32, output: &Path) -> Result<Reported> {
        let format = match format {
            Format::Text => "text",
            Format::Stream => "stream",
        };
        let mut command = Command::new(self.programs.join("reported"));
        let said = step::ask(command.args([format, &count.to_string()]).arg(output))?;
        reported(&said).with_context(|| {
            format!("cannot read the output of `reported` for {}: {said:?}", output.display())
        })
    }

    fn run(&self, words: &[&str]) -> Result<Made> {
        let said = step::ask(Command::new(self.programs.join("load")).args(words))?;
        made(&said).with_context(|| format!("cannot read the output of the load generator: {said:?}"))
    }
}

/// Reads `made COUNT in NANOSECONDS ns`.
fn made(said: &str) -> Option<Made> {
    let (count, wall) = said.trim().strip_prefix("made ")?.strip_suffix(" ns")?.split_once(" in ")?;
    Some(Made { count: count.parse().ok()?, wall: Duration::from_nanos(wall.parse().ok()?) })
}

/// Reads `caught N lost N lag-p50 N lag-p99 N`.
fn reported(said: &str) -> Option<Reported> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let ["caught", caught, "lost", lost, "lag-p50", p50, "lag-p99", p99] = words.as_slice() else {
        return None;
    };
    Some(Reported {
        caught: caught.parse().ok()?,
        lost: lost.parse().ok()?,
        lag_p50_ns: p50.parse().ok()?,
        lag_p99_ns: p99.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_the_count_and_the_time() {
        let expected = Made { count: 7, wall: Duration::from_nanos(42) };
        assert_eq!(made("made 7 in 42 ns\n"), Some(expected));
        assert_eq!(made("panicked"), None);
    }

    #[test]
    fn counts_are_read_by_their_names() {
        let expected = Reported { caught: 5, lost: 1, lag_p50_ns: 20, lag_p99_ns: 30 };
        assert_eq!(reported("caught 5 lost 1 lag-p50 20 lag-p99 30\n"), Some(expected));
        assert_eq!(reported("caught 5"), None);
    }
}
