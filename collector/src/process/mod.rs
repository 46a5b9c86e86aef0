//! Which processes there are: the table that one thread owns and that the kernel's records keep.
//!
//! A process is its thread-group id *and* its start time, never the id alone. The table knows nothing of /proc, of
//! events or of what an image is made of: it keeps an `I` for each.

mod entity;
mod key;
mod table;

pub use self::{
    entity::entity_id,
    key::{KernelTimeNs, ProcessKey, Tgid},
    table::{Entry, Limits, Table, TableCounters},
};
