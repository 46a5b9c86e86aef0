//! Bounds and counters of the process table.

use crate::defaults;

/// Bounds of the table.
#[derive(Clone, Copy, Debug)]
pub struct TableLimits {
    /// Most entries. A full table evicts the oldest ended entry; if there is none, it does not add the new one.
    pub entries: usize,
    /// Nanoseconds that an ended entry stays.
    pub grace_ns: u64,
}

impl Default for TableLimits {
    fn default() -> Self {
        Self { entries: defaults::TABLE_ENTRIES, grace_ns: defaults::TABLE_GRACE_MS * 1_000_000 }
    }
}

/// What the table counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Entries that a full table evicted early or never added.
    pub evicted: u64,
    /// Processes that a record named and the table did not have.
    pub unknown: u64,
    /// Processes that are gone and whose exit record has not come: [`Table::end_unseen`](super::Table::end_unseen).
    pub ended_unseen: u64,
}
