//! Processes that entries of the table name and that are not in it. They may still come.

use rustc_hash::FxHashMap;

use super::key::{KernelTimeNs, ProcessKey, Tgid};

/// How many entries name each absent process. There is no count of 0.
#[derive(Debug, Default)]
pub(super) struct Absent {
    references: FxHashMap<ProcessKey, u32>,
}

impl Absent {
    /// Whether an entry names this process.
    pub(super) fn contains(&self, key: ProcessKey) -> bool {
        self.references.contains_key(&key)
    }

    /// The start of the absent process with this id.
    pub(super) fn start_of(&self, tgid: Tgid) -> Option<KernelTimeNs> {
        self.references.keys().find(|key| key.tgid == tgid).map(|key| key.start)
    }

    /// Adds references to a process.
    pub(super) fn add(&mut self, key: ProcessKey, references: u32) {
        if references > 0 {
            *self.references.entry(key).or_default() += references;
        }
    }

    /// Removes a process that is no longer absent. Returns its references.
    pub(super) fn take(&mut self, key: ProcessKey) -> u32 {
        self.references.remove(&key).unwrap_or(0)
    }

    /// Takes back one reference.
    pub(super) fn remove_one(&mut self, key: ProcessKey) {
        if let Some(references) = self.references.get_mut(&key) {
            *references -= 1;
            if *references == 0 {
                self.references.remove(&key);
            }
        }
    }
}
