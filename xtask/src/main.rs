//! `cargo xtask`: sets up a machine, builds, runs and tests collector.
//!
//! Everything that a person or a CI machine types goes through here, so that a fresh machine needs
//! nothing but cargo and a C linker. Stdout belongs to the agent and to the tests; what xtask has
//! to say goes to stderr.

#![forbid(unsafe_code)]

mod agent;
mod api;
mod bench;
mod ci;
mod fuzz;
mod kernel_object;
mod licences;
mod linker;
mod outside;
mod packages;
mod privilege;
mod rustup;
mod setup;
mod step;
mod test;
mod tidy;
mod toolchain;
mod vm;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::agent::Profile;
use crate::bench::Bench;
use crate::setup::Needs;
use crate::vm::Arch;

/// Builds, runs and tests collector.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing for building and testing, and nothing else.
    ///
    /// The kernel object needs `core` for the BPF target and bpf-linker. What is already there is
    /// used; else packages come by apt, or a nightly's sources by rustup. Doing it twice does nothing.
    Setup {
        /// Install what `cargo xtask vm` needs as well.
        #[arg(long)]
        vm: bool,
    },
    /// Set up, then build the kernel object and the agent; the agent's path is printed on stdout.
    Build {
        /// Build the agent without optimization. The kernel object is always optimized.
        #[arg(long)]
        debug: bool,
    },
    /// Set up, build, then become `collector run ARGS`, as root.
    ///
    /// The agent replaces this process, so signals and pipes reach it directly:
    /// `cargo xtask run -- --event exec | jq .`
    Run {
        /// Handed to `collector run`.
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Set up, build, then run every test.
    ///
    /// Live tests need root and a kernel with BTF; they say how many could not run, and why. With CI=true
    /// a live test that cannot run is a failure.
    Test {
        /// Handed to `cargo test`: `-- exec` takes tests by name, `-- -- --nocapture` shows their output.
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Set up, build, then run the live tests on other kernels, in emulated machines.
    ///
    /// Kernels come from Debian's mirror, the newest of each series, into target/vm; none is installed. What a guest
    /// said is kept in target/vm/ARCH/runs.
    Vm(vm::Options),
    /// Check what can be checked without running the agent: format, lints, docs, tidiness, licences.
    Ci,
    /// Check the rules of this tree: no circles among the files of a crate, the order of the rooms, file headers.
    Tidy,
    /// Compare the public API of each library crate with its list in docs/api.
    Api {
        /// Write the lists anew.
        #[arg(long)]
        accept: bool,
    },
    /// Build and run programs outside the workspace that use its crates, and count what they depend on.
    Outside,
    /// Build every fuzzer, and run one or each of them from recorded seeds.
    ///
    /// Stable Rust is enough. An input that breaks something is kept below target/fuzz-found.
    Fuzz {
        /// How long each runs.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// A file's name in fuzz/targets.
        target: Option<String>,
    },
    /// Set up, build, then measure the figures of docs/performance.md on this machine.
    #[command(subcommand)]
    Bench(Bench),
}

fn main() -> ExitCode {
    step::start_clock();
    let outcome = match Cli::parse().command {
        Command::Setup { vm } => set_up(vm),
        Command::Build { debug } => agent::build_and_print(Profile::from_debug_flag(debug)),
        Command::Run { args } => agent::run(&args),
        Command::Test { args } => test::all(&args),
        Command::Vm(options) => vm::run(&options),
        Command::Ci => ci::checks(),
        Command::Api { accept } => api::check(accept),
        Command::Outside => outside::check(),
        Command::Tidy => tidy::check(),
        Command::Fuzz { seconds, target } => fuzz::run(target.as_deref(), seconds),
        Command::Bench(bench) => bench::measure(&bench),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn set_up(vm: bool) -> Result<()> {
    setup::machine(Needs::Tests)?;
    if vm {
        vm::set_up(Arch::X86_64)?;
    }
    step::say("setup: ready");
    Ok(())
}
