//! What the agent knows of each process: the table's entries, and `Tracker`, the only one that changes them.
//!
//! A record changes the table; a process that no record described is read from /proc; after a loss a [`ProcSnapshot`]
//! corrects the table. Nothing here makes an event.

mod args;
mod chain;
pub mod container;
mod from_proc;
mod image;
mod image_builder;
mod proc_snapshot;
mod process;
mod reconcile;
mod records;
mod shown;
mod subject;
mod tracker;
mod unreported;
mod v1_container;
mod variables;

pub use self::proc_snapshot::ProcSnapshot;
pub(crate) use self::{
    args::Args,
    chain::{Chain, Link},
    container::Container,
    image::Image,
    process::{TrackedProcess, comm, is_kernel, open, parent_of},
    shown::Above,
    subject::Subject,
    tracker::Tracker,
    variables::Environment,
};
