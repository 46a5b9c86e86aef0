//! Lives of processes over a few pids: what truly happens, the agent that is told of it, and what it must tell then.
//!
//! The three know nothing of each other but what the kernel would: [`world`] hands out records and a /proc, [`agent`] makes
//! events of them, [`oracle`] holds the events against the truth.

pub(crate) mod agent;
pub(crate) mod oracle;
pub(crate) mod proc;
pub(crate) mod world;
