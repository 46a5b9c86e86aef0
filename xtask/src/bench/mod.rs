//! `cargo xtask bench`: measures the figures of docs/performance.md on this machine.

mod audit;
mod build;
mod functions;
mod goals;
mod instructions;
mod load;
mod meter;
mod outputs;
mod peers;
mod plot;
mod report;
mod storm;
mod tool;

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use tempfile::TempDir;

use crate::agent::{self, Profile};
use crate::bench::load::Load;
use crate::bench::storm::Storm;
use crate::packages;
use crate::privilege::Privilege;
use crate::setup::Needs;
use crate::workspace;

/// A measurement.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Compare the agent with execsnoop + exitsnoop, forkstat, bpftrace and auditd in a storm of short
    /// processes
    #[command(after_help = STORM)]
    Storm(Storm),
    /// Time from starting the agent to its `agent-start`
    Start {
        /// Number of starts; the median counts
        #[arg(long, default_value_t = 11)]
        times: u32,
    },
    /// Time from the kernel's event to the written line: p50 and p99, in a storm and idle
    Latency {
        /// Seconds of each of the two runs, about
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// Events lost when 1,250 processes start within 100 ms of each second
    Bursts {
        /// Number of bursts, one each second
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// Resident memory after many processes
    Memory {
        /// Number of processes; the goal is for a million, which takes some minutes
        #[arg(long, default_value_t = 1_000_000)]
        processes: u32,
    },
    /// CPU time of the agent for each connection
    Connects {
        /// Number of connections over loopback
        #[arg(long, default_value_t = 100_000)]
        count: u32,
    },
    /// Wall time of `make -j2` of zstd's C sources, with and without the agent
    Build {
        /// Number of pairs; the median counts
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// Time and allocations of the functions of the hot path, each beside its lower bound, by criterion
    Functions,
    /// Instructions of each hot path; fails where one grew over collector/benches/instructions.txt
    #[command(after_help = INSTRUCTIONS)]
    Instructions {
        /// Write the counts into that file instead
        #[arg(long)]
        accept: bool,
    },
    /// Every measurement of docs/performance.md with its defaults: some 15 minutes
    All,
}

const STORM: &str = "\
Each tool watches the same number of processes, as fast as two parents can make them, and each run stands between
two runs with no tool. Debian's packages of the tools are installed if they are missing. The table goes into
docs/performance.md and the picture into docs/storm.svg, unless --only is given.

Examples:
  cargo xtask bench storm                                  the whole comparison, some 3 minutes
  cargo xtask bench storm --only agent,execsnoop           only these two; docs stay as they are
  cargo xtask bench storm --seconds 60 --rounds 1 --only agent
  cargo xtask bench storm --rate 2000                      at a pace that the machine can bear";

const INSTRUCTIONS: &str = "\
callgrind counts them, in about a minute, and comes to the same figure whatever else the machine does; valgrind is
installed if it is missing. It also counts what the thread that reads the ring does with 1, 4 and 100 outputs, and fails
where more outputs cost that thread over 1 % more. No root is needed, and no kernel program. The profiles stay in target/instructions:
`callgrind_annotate target/instructions/lives.callgrind` shows what an exec with its fork and exit takes, and where.";

/// Builds what a measurement needs, then measures.
pub(crate) fn measure(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Functions => functions::measure(),
        Bench::Instructions { accept } => instructions::guard(*accept),
        Bench::Storm(storm) => compare(storm, &ready()?),
        Bench::Start { times } => ready().and_then(|_| goals::start(*times)),
        Bench::Latency { seconds } => goals::latency(&ready()?, *seconds),
        Bench::Bursts { seconds } => goals::bursts(&ready()?, *seconds),
        Bench::Memory { processes } => goals::memory(&ready()?, *processes),
        Bench::Connects { count } => goals::connects(&ready()?, *count),
        Bench::Build { rounds } => ready().and_then(|_| build::build(*rounds)),
        Bench::All => all(),
    }
}

/// Builds the agent and the load generator. Fails without root.
fn ready() -> Result<Load> {
    if Privilege::find() != Privilege::Root {
        bail!("the tools that are measured need root; type: sudo -E cargo xtask bench …");
    }
    agent::build(Profile::Release, Needs::Build)?;
    Load::build()
}

fn all() -> Result<()> {
    let load = ready()?;
    compare(&Storm::default(), &load)?;
    goals::start(11)?;
    goals::latency(&load, 10)?;
    goals::bursts(&load, 10)?;
    goals::connects(&load, 100_000)?;
    build::build(5)?;
    functions::measure()?;
    goals::memory(&load, 1_000_000)
}

fn compare(storm: &Storm, load: &Load) -> Result<()> {
    packages::install(packages::peers())?;
    storm.run(load)
}

/// A folder for the output of tools while they are measured: in memory where possible, so that the disk is not measured.
fn scratch() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let above = if memory.is_dir() { memory.to_owned() } else { workspace::target("") };
    let folder = tempfile::Builder::new().prefix("collector-bench-").tempdir_in(&above);
    folder.with_context(|| format!("cannot make a folder in {}", above.display()))
}
