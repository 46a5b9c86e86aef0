//! Records tests/fixtures anew, as root: `cargo run -p collector-tests --example record_fixtures`, or with `FIXTURE=name` one of
//! them. Then `UPDATE_GOLDEN=1 cargo test -p collector-tests --test replay` writes what they are replayed to, to be read.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong is for whoever records, who sees the panic"
)]

#[path = "../tests/common/mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod common;

fn main() {
    common::workloads::record_all();
}
