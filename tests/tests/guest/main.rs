//! The tests that run in the guests of `cargo xtask vm` only: there the kernel's build is known, and the clock and the NFS
//! server are the test's own.
//!
//! The live tests run in guests too.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what went wrong by a panic")]

mod clock;
mod kernel;
mod nfs;

use std::process::ExitCode;

fn main() -> ExitCode {
    collector_tests::live::main()
}
