//! A table of ten thousand processes, looked up one after the other.

use collector::process::{ProcessKey, Table, TableLimits};

const PROCESSES: u32 = 10_000;

/// The table; the parent of each process is the one with half its number.
pub(crate) struct Known(Table<u32>);

impl Known {
    pub(crate) fn new() -> Self {
        let mut table = Table::new(TableLimits { entries: 65_536, grace_ns: 1_000_000_000 });
        (1..=PROCESSES + 1).for_each(|number| table.insert(key(number), parent(number / 2), number));
        Self(table)
    }

    /// A process and its ancestors. Consecutive numbers are far apart in the table.
    pub(crate) fn ask(&mut self, number: u32) -> (Option<u32>, Option<ProcessKey>) {
        let key = key(number.wrapping_mul(7919) % PROCESSES + 2);
        (self.0.get(key).map(|entry| entry.process), self.0.parent(key))
    }
}

fn parent(number: u32) -> Option<ProcessKey> {
    ProcessKey::from_record(number, u64::from(number) * 1_000)
}

fn key(number: u32) -> ProcessKey {
    ProcessKey::new(number, u64::from(number) * 1_000)
}
