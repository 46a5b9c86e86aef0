//! The live tests: they run the agent on the kernel of this machine, as root, and compare its stream with what they did.
//!
//! A module for each feature. tests/README.md says how to add a test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test says what went wrong by a panic, and prints what it measured"
)]

mod ancestry;
mod connect;
mod digests;
mod exec;
mod exit;
mod filters;
mod identity;
mod inspect;
mod kernel_helpers;
mod kernel_tasks;
mod outputs;
mod overload;
mod processes;
mod programs;
mod reload;
mod reuse;
mod stream;
mod udp;

use std::process::ExitCode;

fn main() -> ExitCode {
    collector_tests::live::main()
}
