//! The tests that need neither root nor the kernel of this machine: recordings, properties, the schema, the command line.
//!
//! A module for each feature. tests/README.md says how to add a test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper says what went wrong by a panic, which fails the test that called it"
)]

mod cli;
mod cli_words;
mod common;
mod encodings;
mod exec_pieces;
mod filtered;
mod interleavings;
mod lives;
mod one_tick;
mod outputs;
mod proc_faults;
mod properties;
mod recordings;
mod records;
mod regressions;
mod replay;
mod schema;
mod table;
