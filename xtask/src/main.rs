//! `cargo xtask`: sets up a machine, builds, runs and tests collector.
//!
//! People and CI type nothing else, so a fresh machine needs only cargo and a C linker. Stdout belongs to
//! the agent and to the tests; xtask writes its own lines to stderr.

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
mod tool;
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
    /// Install what is missing for building and testing.
    ///
    /// The kernel object needs bpf-linker and `core` for the BPF target. They are installed by apt where
    /// Debian has them, otherwise by rustup. A second run does nothing.
    Setup {
        /// Install what `cargo xtask vm` needs as well.
        #[arg(long)]
        vm: bool,
    },
    /// Set up, then build the kernel object and the agent; print the agent's path on stdout.
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
        /// Arguments of `collector run`.
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Set up, build, then run every test.
    ///
    /// Live tests need root and a kernel with BTF; those that cannot run are shown as ignored, with the
    /// reason. With CI=true they fail instead.
    Test {
        /// Arguments of `cargo test`: `-- exec` selects tests by name, `-- -- --nocapture` shows their
        /// output.
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Set up, build, then run the live tests on other kernels, in emulated machines.
    ///
    /// The newest kernel of each series comes from Debian's mirror into target/vm; none is installed. The
    /// output of each guest is kept in target/vm/ARCH/runs.
    Vm(vm::Options),
    /// Check everything that needs neither root nor a kernel: format, rules of the tree, licences, lints,
    /// docs, public API.
    Ci,
    /// Check the rules of this tree: no circles among the files of a crate, the order of the rooms, file headers.
    Tidy,
    /// Compare the public API of each library crate with its list in docs/api.
    Api {
        /// Write the lists again.
        #[arg(long)]
        accept: bool,
    },
    /// Build and run programs outside the workspace that use its crates, and count what they depend on.
    Outside,
    /// Build every fuzzer, then run one or all of them from recorded seeds.
    ///
    /// Stable Rust is enough. An input that breaks a fuzzer is kept below target/fuzz-found.
    Fuzz {
        /// How many seconds each fuzzer runs.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The name of a file in fuzz/targets, without its ending.
        target: Option<String>,
    },
    /// Set up, build, then measure figures of docs/performance.md on this machine.
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
