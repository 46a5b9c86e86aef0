//! Lives of processes over a few pids: what really happens, the agent that reads records of it, and what it must report.
//!
//! The three know of each other only what the kernel would: [`world`] hands out records and a /proc, [`agent`] makes
//! events of them, [`oracle`] holds the events against the truth.

pub(crate) mod agent;
pub(crate) mod oracle;
pub(crate) mod proc;
pub(crate) mod world;
