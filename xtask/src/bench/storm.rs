//! The agent and Debian's tools in the same storm of short processes: wall time, CPU time, memory,
//! processes caught and events lost.
//!
//! Each tool's run is between two runs without a tool, so that other work of the machine affects both
//! alike.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bench::load::{Load, Made};
use crate::bench::peers::Peer;
use crate::bench::plot::{self, Bar, Panel};
use crate::bench::report::{self, median};
use crate::bench::scratch;
use crate::step;

/// The options of `cargo xtask bench storm`.
#[derive(clap::Args)]
pub(crate) struct Storm {
    /// Seconds of the storm without a tool, about; the number of processes follows from it
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Runs of each tool; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The tools, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TOOLS")]
    only: Vec<Peer>,
    /// Processes a second of both parents together; 0 is as fast as they can
    #[arg(long, default_value_t = 0)]
    rate: u32,
}

/// One run of one tool.
struct Turn {
    peer: Peer,
    /// Wall time with the tool divided by that without.
    wall: f64,
    cpu: Duration,
    memory_mib: f64,
    caught: f64,
    lost: u64,
}

/// The medians of a tool's runs.
struct Row {
    peer: Peer,
    wall: f64,
    cpu_us: f64,
    memory_mib: f64,
    caught: f64,
    lost: u64,
}

impl Default for Storm {
    /// The values without flags.
    fn default() -> Self {
        Self { seconds: 5, rounds: 3, only: Vec::new(), rate: 0 }
    }
}

impl Storm {
    /// Runs the storm, prints the table and writes it and the picture into docs.
    pub(super) fn run(&self, load: &Load) -> Result<()> {
        let scratch = scratch()?;
        let (peers, left_out) = self.peers();
        let warm = load.execs(4_000, self.rate)?;
        let count = whole(f64::from(warm.count) / warm.wall.as_secs_f64() * f64::from(self.seconds));
        let mut turns = Vec::new();
        let mut bare = load.execs(count, self.rate)?;
        for round in 1..=self.rounds {
            for &peer in &peers {
                turns.push(self.turn(load, peer, count, &mut bare, scratch.path())?);
            }
            step::say(format_args!("storm: round {round} of {} is done", self.rounds));
        }
        let rows: Vec<Row> = peers.iter().filter_map(|&peer| Row::of(peer, &turns, count)).collect();
        self.show(&rows, count, &bare, &left_out)
    }

    fn peers(&self) -> (Vec<Peer>, Vec<String>) {
        let asked = if self.only.is_empty() { Peer::ALL.to_vec() } else { self.only.clone() };
        let mut left_out = Vec::new();
        let can = asked.into_iter().filter(|peer| {
            let obstacle = peer.obstacle();
            if let Some(why) = &obstacle {
                step::say(format_args!("storm: {} is skipped: {why}", peer.shown()));
                left_out.push(format!(" {} is skipped: {why}.", peer.shown()));
            }
            obstacle.is_none()
        });
        (can.collect(), left_out)
    }

    /// A run with the tool, then one without.
    fn turn(&self, load: &Load, peer: Peer, count: u32, bare: &mut Made, directory: &Path) -> Result<Turn> {
        let running = peer.start(directory)?;
        let before = running.cpu()?;
        let made = load.execs(count, self.rate)?;
        running.settle()?;
        let cpu = running.cpu()?.saturating_sub(before);
        let memory = running.memory("VmHWM")?;
        let reported = running.stop(load, made.count).with_context(|| format!("of {}", peer.shown()))?;
        let bare_after = load.execs(count, self.rate)?;
        let bare_wall = f64::midpoint(bare.wall.as_secs_f64(), bare_after.wall.as_secs_f64());
        *bare = bare_after;
        let turn = Turn {
            peer,
            wall: made.wall.as_secs_f64() / bare_wall,
            cpu,
            memory_mib: mebibytes(memory),
            caught: f64::from(reported.caught) / f64::from(made.count),
            lost: reported.lost,
        };
        step::say(format_args!(
            "storm: {:<24} wall {:.3}  cpu {:.2} s  caught {:.4}  lost {}",
            peer.shown(),
            turn.wall,
            turn.cpu.as_secs_f64(),
            turn.caught,
            turn.lost
        ));
        Ok(turn)
    }

    fn show(&self, rows: &[Row], count: u32, bare: &Made, left_out: &[String]) -> Result<()> {
        let a_second = f64::from(bare.count) / bare.wall.as_secs_f64();
        let machine = report::machine();
        let table = format!(
            "{machine}\n{count} processes of a tiny static image, by two parents, {a_second:.0} a second without a tool; \
             medians of {} rounds.{}\n\n{}",
            self.rounds,
            left_out.concat(),
            table(rows)
        );
        step::say(format_args!("storm:\n{table}"));
        // A run of some tools is not the whole comparison.
        if !self.only.is_empty() {
            step::say("storm: docs/performance.md is not changed, because of --only");
            return Ok(());
        }
        report::put_section("storm", &table)?;
        put_goals(rows)?;
        let picture = report::document("storm.svg");
        fs::write(&picture, plot::svg(&panels(rows), &machine))
            .with_context(|| format!("cannot write {}", picture.display()))
    }
}

impl Row {
    fn of(peer: Peer, turns: &[Turn], count: u32) -> Option<Self> {
        let turns: Vec<&Turn> = turns.iter().filter(|turn| turn.peer == peer).collect();
        let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(|turn| figure(turn)).collect());
        Some(Self {
            peer,
            wall: of(|turn| turn.wall)?,
            cpu_us: of(|turn| turn.cpu.as_secs_f64())? * 1e6 / f64::from(count),
            memory_mib: of(|turn| turn.memory_mib)?,
            caught: of(|turn| turn.caught)?,
            // The sum, not the median: one loss in one round is a loss.
            lost: turns.iter().map(|turn| turn.lost).sum(),
        })
    }
}

fn table(rows: &[Row]) -> String {
    let mut table =
        "| tool | version | wall time, none = 1 | CPU for each exec + exit | memory, at most | caught with \
                     all arguments | lost, by its own account |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "| {} | {} | {:.2} | {:.1} µs | {:.0} MiB | {} | {} |",
            row.peer.shown(),
            row.peer.version(),
            row.wall,
            row.cpu_us,
            row.memory_mib,
            percent(row.caught),
            row.lost
        );
    }
    table
}

fn put_goals(rows: &[Row]) -> Result<()> {
    let find = |peer| rows.iter().find(|row| row.peer == peer);
    let (Some(agent), Some(snoops)) = (find(Peer::Agent), find(Peer::Execsnoop)) else { return Ok(()) };
    report::put_goal(
        "CPU for each exec + exit, against execsnoop + exitsnoop",
        &format!("{:.2} ({:.1} µs, they {:.1})", agent.cpu_us / snoops.cpu_us, agent.cpu_us, snoops.cpu_us),
    )?;
    report::put_goal(
        "wall time of the storm, against none",
        &format!("{:.2} (they {:.2})", agent.wall, snoops.wall),
    )?;
    report::put_goal("lost in the storm", &agent.lost.to_string())
}

fn panels(rows: &[Row]) -> [Panel; 3] {
    let panel = |title: &str, value: fn(&Row) -> f64, label: fn(f64) -> String| Panel {
        title: title.to_owned(),
        bars: rows
            .iter()
            .map(|row| Bar {
                name: row.peer.shown().replace('*', ""),
                value: value(row),
                label: label(value(row)),
                ours: row.peer == Peer::Agent,
            })
            .collect(),
    };
    [
        panel("CPU for each exec + exit: less is better", |row| row.cpu_us, |us| format!("{us:.1} µs")),
        panel(
            "Wall time of the storm, none = 1: less is better",
            |row| row.wall,
            |wall| format!("{wall:.2}"),
        ),
        panel("Caught with all arguments: more is better", |row| row.caught, percent),
    ]
}

/// A share below 1 is never shown as 100 %.
fn percent(share: f64) -> String {
    if share >= 1.0 { "100 %".to_owned() } else { format!("{:.2} %", (share * 1e4).floor() / 1e2) }
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    // Memory of a process in KiB fits 32 bits by far.
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what a number of processes wants"
)]
fn whole(count: f64) -> u32 {
    count as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_not_rounded_up_to_the_whole() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999), "99.99 %");
    }
}
