//! Shared by the tests that drive collector from outside: start the agent, make processes and connections whose truth
//! is known, and compare the stream with it, field by field.
//!
//! Nothing here uses the agent's code to know what is right: the truth is what a test itself did, and what /proc, stat(2) and
//! wait4(2) say.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test's helper says what went wrong by a panic, which fails the test that called it"
)]

pub mod agent;
pub mod community_id;
pub mod compare;
pub mod cpid;
pub mod digests;
pub mod events;
pub mod file_agent;
pub mod findings;
pub mod follower;
pub mod live;
pub mod run;
pub mod stderr;
pub mod stream_rules;
pub mod truth;
pub mod unprivileged;
pub mod wait;
pub mod workload;
