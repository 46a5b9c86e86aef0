//! The table of processes.
//!
//! Records of the kernel maintain it: a fork and the start-up scan add an entry, an exec replaces the image, an exit ends
//! the entry, and later the entry is removed. An ended entry stays for a grace time, because records of other CPUs may still
//! name it, and then as long as another entry names it as its parent or its reaper: it says who took the children over.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    absent::Absent,
    entry::{ChainGeneration, Entry, Exit, Life},
    key::{KernelTimeNs, ProcessKey, Tgid},
    limits::{TableCounters, TableLimits},
};

/// All processes that the agent knows.
#[derive(Debug)]
pub struct Table<I> {
    entries: FxHashMap<ProcessKey, Entry<I>>,
    absent: Absent,
    /// Processes that ended without ever having been in the table, for the grace time.
    ended_unknown: FxHashSet<ProcessKey>,
    /// Ended processes, oldest first.
    ended: VecDeque<(KernelTimeNs, ProcessKey)>,
    limits: TableLimits,
    counters: TableCounters,
    generation: ChainGeneration,
}

impl<I> Table<I> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: TableLimits) -> Self {
        Self {
            entries: FxHashMap::default(),
            absent: Absent::default(),
            ended_unknown: FxHashSet::default(),
            ended: VecDeque::new(),
            limits,
            counters: TableCounters::default(),
            generation: ChainGeneration::default(),
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the table counted so far.
    #[must_use]
    pub fn counters(&self) -> TableCounters {
        self.counters
    }

    /// The process, running or recently ended.
    #[must_use]
    pub fn get(&self, key: ProcessKey) -> Option<&Entry<I>> {
        self.entries.get(&key)
    }

    /// The processes whose end is not known, in no order.
    pub fn running(&self) -> impl Iterator<Item = (ProcessKey, &I)> {
        let running = self.entries.iter().filter(|(_, entry)| !entry.has_ended());
        running.map(|(key, entry)| (*key, &entry.process))
    }

    /// The start of the process with this id that entries name and that is not in the table.
    #[must_use]
    pub fn start_of_absent(&self, tgid: Tgid) -> Option<KernelTimeNs> {
        self.absent.start_of(tgid)
    }

    /// The process, to change what is known of it.
    pub fn get_mut(&mut self, key: ProcessKey) -> Option<&mut I> {
        self.change(key).map(|entry| &mut entry.process)
    }

    /// An entry that is about to change in a way that its descendants' events show.
    fn change(&mut self, key: ProcessKey) -> Option<&mut Entry<I>> {
        let entry = self.entries.get_mut(&key)?;
        self.generation.invalidate_if(entry.is_in_chain);
        Some(entry)
    }

    /// Generation of cached ancestor chains; a chain is valid while it is unchanged.
    ///
    /// It changes when an entry of any chain changes, ends, or gets another parent, and when the process comes at which a
    /// chain stopped because it was missing. The caller reports the entries of a chain by [`Table::add_to_chain`].
    #[must_use]
    pub fn chain_generation(&self) -> u64 {
        self.generation.0
    }

    /// The process, which the caller adds to an ancestor chain that it caches.
    pub fn add_to_chain(&mut self, key: ProcessKey) -> Option<&I> {
        self.entries.get_mut(&key).map(|entry| {
            entry.is_in_chain = true;
            &entry.process
        })
    }

    /// Whether its end is known, even if nothing else was ever recorded.
    #[must_use]
    pub fn has_ended(&self, key: ProcessKey) -> bool {
        self.ended_unknown.contains(&key) || self.get(key).is_some_and(Entry::has_ended)
    }

    /// Whether a process with this id ended that began in the same clock tick. Visits all entries.
    #[must_use]
    pub fn ended_in_tick(&self, key: ProcessKey) -> bool {
        let cut = key.to_the_tick();
        self.ended_of_tick(key).is_some() || self.ended_unknown.iter().any(|other| other.to_the_tick() == cut)
    }

    /// The ended process with this id that began in the same clock tick. Visits all entries.
    #[must_use]
    pub fn ended_of_tick(&self, key: ProcessKey) -> Option<ProcessKey> {
        let mut ended = self.entries.iter().filter(|(_, entry)| entry.has_ended()).map(|(key, _)| *key);
        ended.find(|other| other.to_the_tick() == key.to_the_tick())
    }

    /// Counts a process that a record named and that is not in the table.
    pub fn count_unknown(&mut self) {
        self.counters.unknown += 1;
    }

    /// Adds a process, or replaces what is known of it. An ended entry stays ended: this record came late.
    pub fn insert(&mut self, key: ProcessKey, parent: Option<ProcessKey>, process: I) {
        if let Some(entry) = self.change(key) {
            entry.process = process;
            self.set_parent(key, parent);
            return;
        }
        if self.entries.len() >= self.limits.entries && !self.evict_oldest_ended() {
            self.counters.evicted += 1;
            return;
        }
        let references = self.absent.take(key);
        // A chain that stopped here goes on.
        self.generation.invalidate_if(references > 0);
        self.entries.insert(key, Entry::new(process, parent, references));
        self.refer(parent);
    }

    /// Replaces a tick-precise start from /proc by the exact one and re-keys every reference. Visits all entries where there
    /// was such a process.
    pub fn refine_start(&mut self, key: ProcessKey) {
        let cut = key.to_the_tick();
        if cut == key || self.entries.contains_key(&key) {
            return;
        }
        // A process whose end is known began at exactly that nanosecond. It is another life of the id, in the same tick.
        if self.has_ended(cut) {
            return;
        }
        let entry = self.entries.remove(&cut);
        let references = self.absent.take(cut);
        if entry.is_none() && references == 0 {
            return;
        }
        self.generation.invalidate_if(true);
        self.entries.values_mut().for_each(|other| other.rekey(cut, key));
        self.ended.iter_mut().filter(|(_, ended)| *ended == cut).for_each(|(_, ended)| *ended = key);
        self.absent.add(key, references);
        if let Some(mut entry) = entry {
            entry.references += self.absent.take(key);
            self.entries.insert(key, entry);
        }
    }

    /// Sets the real parent: after a reparenting it is another one than before.
    pub fn set_parent(&mut self, key: ProcessKey, parent: Option<ProcessKey>) {
        let Some(before) = self.get(key).map(|entry| entry.parent).filter(|before| *before != parent) else {
            return;
        };
        if let Some(entry) = self.change(key) {
            entry.parent = parent;
        }
        self.refer(parent);
        self.dereference(before);
    }

    /// Ends a process by its exit record. `reaper` takes over its children. Returns `false` if an exit record came before.
    pub fn end(&mut self, key: ProcessKey, at: KernelTimeNs, reaper: Option<ProcessKey>) -> bool {
        let Some(entry) = self.change(key) else {
            self.hand_over(key, reaper);
            self.ended.push_back((at, key));
            return self.ended_unknown.insert(key);
        };
        let expired = match entry.life {
            Life::Ended { exit: Exit::Seen { .. }, .. } => return false,
            Life::Ended { exit: Exit::Unseen, expired } => expired,
            Life::Running => false,
        };
        // The first process of a PID namespace would be its own reaper; it has no children left when it ends.
        let reaper = reaper.filter(|reaper| *reaper != key);
        let ended = Life::Ended { exit: Exit::Seen { reaper }, expired };
        match std::mem::replace(&mut entry.life, ended) {
            Life::Running => self.ended.push_back((at, key)),
            Life::Ended { .. } => self.counters.ended_unseen -= 1,
        }
        self.refer(reaper);
        true
    }

    /// Gives the children of a process that is not in the table to the process that took them over.
    fn hand_over(&mut self, key: ProcessKey, reaper: Option<ProcessKey>) {
        if !self.absent.contains(key) {
            return;
        }
        let children =
            self.entries.iter().filter(|(_, child)| child.parent == Some(key)).map(|(key, _)| *key);
        for child in children.collect::<Vec<_>>() {
            self.set_parent(child, reaper);
        }
    }

    /// Ends a process that is gone and whose exit record did not come. Who took over its children is not known. If the exit
    /// record comes after all, [`Table::end`] accepts it.
    pub fn end_unseen(&mut self, key: ProcessKey, at: KernelTimeNs) {
        if self.get(key).is_none_or(Entry::has_ended) {
            return;
        }
        if let Some(entry) = self.change(key) {
            entry.life = Life::Ended { exit: Exit::Unseen, expired: false };
        }
        self.ended.push_back((at, key));
        self.counters.ended_unseen += 1;
    }

    /// The real parent of a process at this moment: where the parent has ended, the process that took over its children,
    /// and so on. `None` where the table does not have the process, or it has no parent.
    pub fn parent(&mut self, key: ProcessKey) -> Option<ProcessKey> {
        let before = self.entries.get(&key)?.parent?;
        let mut parent = before;
        // Each step leads to a process that ended later than the one before, so the walk ends. The bound is for a table that
        // lost records left with a cycle.
        for _ in 0..self.entries.len() {
            match self.entries.get(&parent).and_then(Entry::reaper) {
                Some(reaper) => parent = reaper,
                None => break,
            }
        }
        if parent != before {
            // Stored, so that the next walk is short and the ended entries can go.
            self.set_parent(key, Some(parent));
        }
        Some(parent)
    }

    /// Removes what ended longer than the grace time before `now`.
    pub fn expire(&mut self, now: KernelTimeNs) {
        while let Some(&(ended, key)) = self.ended.front() {
            if now.0.saturating_sub(ended.0) < self.limits.grace_ns {
                return;
            }
            self.ended.pop_front();
            self.expire_entry(key);
        }
    }

    fn evict_oldest_ended(&mut self) -> bool {
        let before = self.entries.len();
        while let Some((_, key)) = self.ended.pop_front() {
            self.expire_entry(key);
            if self.entries.len() < before {
                self.counters.evicted += 1;
                return true;
            }
        }
        false
    }

    fn expire_entry(&mut self, key: ProcessKey) {
        self.ended_unknown.remove(&key);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.expire();
            self.release(key);
        }
    }

    /// Counts a reference to a process.
    fn refer(&mut self, key: Option<ProcessKey>) {
        let Some(key) = key else { return };
        match self.entries.get_mut(&key) {
            Some(entry) => entry.references += 1,
            None => self.absent.add(key, 1),
        }
    }

    /// Takes back a reference, and removes the process where it was the last that kept it.
    fn dereference(&mut self, key: Option<ProcessKey>) {
        let Some(key) = key else { return };
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.references = entry.references.saturating_sub(1);
            self.release(key);
        } else {
            self.absent.remove_one(key);
        }
    }

    /// Removes an expired entry that no other names, then those that it named and no other does, and so on.
    fn release(&mut self, key: ProcessKey) {
        let mut candidates = vec![key];
        while let Some(key) = candidates.pop() {
            if !self.entries.get(&key).is_some_and(|entry| entry.is_expired() && entry.references == 0) {
                continue;
            }
            let Some(entry) = self.entries.remove(&key) else { continue };
            for named in [entry.parent, entry.reaper()].into_iter().flatten() {
                match self.entries.get_mut(&named) {
                    Some(entry) => {
                        entry.references = entry.references.saturating_sub(1);
                        candidates.push(named);
                    }
                    None => self.dereference(Some(named)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
