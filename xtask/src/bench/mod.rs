//! `cargo xtask bench`: the figures of docs/performance.md, measured again on this machine.

mod build;
mod goals;
mod load;
mod meter;
mod peers;
mod plot;
mod report;
mod scratch;
mod storm;
mod tool;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::agent::{self, Profile};
use crate::bench::load::Load;
use crate::bench::storm::Storm;
use crate::packages;
use crate::privilege::Privilege;
use crate::setup::Needs;
use crate::step;
use crate::workspace;

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The agent beside execsnoop + exitsnoop, forkstat, bpftrace and auditd, in a storm of short processes
    #[command(after_help = STORM)]
    Storm(Storm),
    /// From the call of the agent to its `agent-start`
    Start {
        /// Starts, of which the one in the middle counts
        #[arg(long, default_value_t = 11)]
        times: u32,
    },
    /// From the kernel's event to the written line: p50 and p99, in a storm and idle
    Latency {
        /// About how long each of the two takes
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// What is lost when 1,250 processes come within 100 ms, each second
    Bursts {
        /// Bursts
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// Resident memory over many processes
    Memory {
        /// The goal is meant for a million of them, which takes some minutes
        #[arg(long, default_value_t = 1_000_000)]
        processes: u32,
    },
    /// The agent's processor time for each connection
    Connects {
        /// Connections over loopback
        #[arg(long, default_value_t = 100_000)]
        count: u32,
    },
    /// The wall time of `make -j2` of zstd's C sources, with the agent and without
    Build {
        /// Pairs, of which the one in the middle counts
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// The functions of the hot path, each beside its floor, and what they allocate: criterion's figures, on stdout
    Functions,
    /// All but the functions, one after the other, with what they take without flags: some 15 minutes
    All,
}

const STORM: &str = "\
Each tool watches the same number of processes, as fast as two parents can make them, and each run stands between
two runs with no tool. Debian's packages of the tools are installed if they are missing. The table goes into
docs/performance.md and the picture into docs/storm.svg, unless --only is given.

Examples:
  cargo xtask bench storm                                  the whole comparison, some 4 minutes
  cargo xtask bench storm --only agent,execsnoop           only these two; docs stay as they are
  cargo xtask bench storm --seconds 60 --rounds 1 --only agent
  cargo xtask bench storm --rate 2000                      at a pace that the machine can bear";

/// Builds what is needed and measures.
pub(crate) fn measure(bench: &Bench) -> Result<()> {
    agent::build(Profile::Release, Needs::Build)?;
    let load = Load::build()?;
    if Privilege::find() != Privilege::Root {
        bail!("the tools that are measured need root; type: sudo -E cargo xtask bench …");
    }
    match bench {
        Bench::Storm(storm) => compare(storm, &load),
        Bench::Start { times } => goals::start(*times),
        Bench::Latency { seconds } => goals::latency(&load, *seconds),
        Bench::Bursts { seconds } => goals::bursts(&load, *seconds),
        Bench::Memory { processes } => goals::memory(&load, *processes),
        Bench::Connects { count } => goals::connects(&load, *count),
        Bench::Build { rounds } => build::build(*rounds),
        Bench::Functions => step::pass_through(workspace::cargo().args([
            "bench",
            "--package",
            "collector",
            "--bench",
            "functions",
        ])),
        Bench::All => {
            compare(&Storm::default(), &load)?;
            goals::start(11)?;
            goals::latency(&load, 10)?;
            goals::bursts(&load, 10)?;
            goals::connects(&load, 100_000)?;
            build::build(5)?;
            goals::memory(&load, 1_000_000)
        }
    }
}

fn compare(storm: &Storm, load: &Load) -> Result<()> {
    packages::install(packages::peers())?;
    storm.run(load)
}
