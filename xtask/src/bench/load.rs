//! The load generator of the tests package, and what it says of its run; and `told`, which reads what a tool told of it.
//!
//! Both are programs of their own, compiled with optimization, as xtask is not.

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

/// A run of it that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) count: u32,
    pub(super) wall: Duration,
}

/// What a tool told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Processes told with all of their arguments.
    pub(super) caught: u32,
    /// By the tool's own account.
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
        cargo.args(["build", "--package", "collector-tests", "--bin", "load", "--bin", "told", "--release"]);
        step::show(&mut cargo).context("cannot build the load generator")?;
        Ok(Self { programs: workspace::target("release") })
    }

    /// `count` processes; a `rate` of 0 is as fast as two parents can.
    pub(super) fn execs(&self, count: u32, rate: u32) -> Result<Made> {
        self.run(&["execs", &count.to_string(), &rate.to_string()])
    }

    /// 1,250 processes within 100 ms, each second.
    pub(super) fn bursts(&self, seconds: u32) -> Result<Made> {
        self.run(&["bursts", &seconds.to_string()])
    }

    /// `count` connections over loopback.
    pub(super) fn connects(&self, count: u32) -> Result<Made> {
        self.run(&["connects", &count.to_string()])
    }

    /// Reads a tool's output on a load of `count` processes.
    pub(super) fn told(&self, format: Format, count: u32, output: &Path) -> Result<Told> {
        let format = match format {
            Format::Text => "text",
            Format::Stream => "stream",
        };
        let mut command = Command::new(self.programs.join("told"));
        let said = step::ask(command.args([format, &count.to_string()]).arg(output))?;
        told(&said).with_context(|| format!("the reader of {} said {said:?}", output.display()))
    }

    fn run(&self, words: &[&str]) -> Result<Made> {
        let said = step::ask(Command::new(self.programs.join("load")).args(words))?;
        made(&said).with_context(|| format!("the load generator said {said:?}"))
    }
}

/// Reads `made COUNT in NANOSECONDS ns`.
fn made(said: &str) -> Option<Made> {
    let (count, wall) = said.trim().strip_prefix("made ")?.strip_suffix(" ns")?.split_once(" in ")?;
    Some(Made { count: count.parse().ok()?, wall: Duration::from_nanos(wall.parse().ok()?) })
}

/// Reads `caught N lost N lag-p50 N lag-p99 N`.
fn told(said: &str) -> Option<Told> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let ["caught", caught, "lost", lost, "lag-p50", p50, "lag-p99", p99] = words.as_slice() else {
        return None;
    };
    Some(Told {
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
    fn the_last_line_tells_how_many_and_how_long() {
        let expected = Made { count: 7, wall: Duration::from_nanos(42) };
        assert_eq!(made("made 7 in 42 ns\n"), Some(expected));
        assert_eq!(made("panicked"), None);
    }

    #[test]
    fn what_was_told_is_read_by_its_names() {
        let expected = Told { caught: 5, lost: 1, lag_p50_ns: 20, lag_p99_ns: 30 };
        assert_eq!(told("caught 5 lost 1 lag-p50 20 lag-p99 30\n"), Some(expected));
        assert_eq!(told("caught 5"), None);
    }
}
