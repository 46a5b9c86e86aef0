//! Which processes there are: one thread owns the table, and the kernel's records maintain it.
//!
//! A process is its thread-group id *and* its start time, never the id alone. The table knows nothing of /proc, of events or
//! of images: it keeps an `I` for each process.

mod absent;
mod entity;
mod entry;
mod key;
mod limits;
mod table;

pub use self::{
    entity::entity_id,
    entry::Entry,
    key::{KernelTimeNs, ProcessKey, Tgid},
    limits::{TableCounters, TableLimits},
    table::Table,
};
