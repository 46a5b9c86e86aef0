//! `cargo xtask bench`: the figures of docs/performance.md, measured again on this machine.

mod audit;
mod build;
mod functions;
mod goals;
mod instructions;
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
    /// The functions of the hot path, each beside its floor, and what they allocate: criterion's figures
    Functions,
    /// The instructions of each hot path, against collector/benches/instructions.txt: more of them is a failure
    #[command(after_help = INSTRUCTIONS)]
    Instructions {
        /// Write what was counted into that file instead
        #[arg(long)]
        accept: bool,
    },
    /// All that goes into docs/performance.md, one after the other, with what they take without flags: some 15 minutes
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
callgrind counts them, in about half a minute, and comes to the same figure whatever else the machine does; valgrind is
installed if it is missing. No root is needed, and no kernel program. The profiles stay in target/instructions:
`callgrind_annotate target/instructions/lives.callgrind` shows what an exec with its fork and exit takes, and where.";

/// Builds what is needed and measures.
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

/// The agent and the load, for whom may measure.
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
