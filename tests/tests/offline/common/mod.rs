//! Shared by the tests that drive collector as a library: recordings, what they are replayed with, and what must come
//! out.
//!
//! A helper says what went wrong by a panic, which fails the test that called it.

pub(crate) mod any;
pub(crate) mod fake_proc;
pub(crate) mod fixture;
pub(crate) mod golden;
pub(crate) mod lives;
pub(crate) mod made;
pub(crate) mod recording;
pub(crate) mod stream;
pub(crate) mod workloads;
