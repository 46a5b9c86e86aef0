//! A table of ten thousand processes, looked up one after the other.

use collector::process::{Limits, ProcessKey, Table};

const PROCESSES: u32 = 10_000;

/// The table; the parent of each process is the one with half its number.
pub(crate) struct Known(Table<u32>);

impl Known {
    pub(crate) fn new() -> Self {
        let mut table = Table::new(Limits { entries: 65_536, grace_ns: 1_000_000_000 });
        (1..=PROCESSES + 1).for_each(|number| table.insert(key(number), key(number / 2), number));
        Self(table)
    }

    /// A process and its ancestors. Consecutive numbers are far apart in the table.
    pub(crate) fn ask(&mut self, number: u32) -> (Option<u32>, Option<ProcessKey>) {
        let key = key(number.wrapping_mul(7919) % PROCESSES + 2);
        (self.0.get(key).map(|entry| entry.process), self.0.parent(key))
    }
}

fn key(number: u32) -> ProcessKey {
    ProcessKey::new(number, u64::from(number) * 1_000)
}
