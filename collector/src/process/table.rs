//! The table of processes.
//!
//! The records of the kernel keep it: a fork and the start-up scan add, an exec replaces the image, an exit ends, and a
//! while later the entry goes. An ended entry stays for a grace time, since records of other CPUs may still name it,
//! and then as long as another entry names it as its parent or its reaper: it tells who took the children over.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{KernelTimeNs, ProcessKey, Tgid};
use crate::defaults;

/// How large it may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries; beyond that the oldest ended one goes, else the new one is not kept.
    pub entries: usize,
    /// Nanoseconds that an ended entry stays.
    pub grace_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: defaults::TABLE_ENTRIES, grace_ns: defaults::TABLE_GRACE_MS * 1_000_000 }
    }
}

/// What the table counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Entries that went before their time, or never were, for want of room.
    pub evicted: u64,
    /// Processes that a record named and the table did not know.
    pub unknown: u64,
    /// Processes that were gone and whose exit no record has told, not even later: [`Table::end_unseen`].
    pub ended_unseen: u64,
}

/// A process.
#[derive(Debug)]
pub struct Entry<I> {
    /// The real parent, as the last record that told it said; [`Table::parent`] follows it over the parent's end.
    parent: ProcessKey,
    /// What it is.
    pub process: I,
    /// When it ended.
    ended: Option<KernelTimeNs>,
    /// It was found to be gone; its exit has not been told.
    unseen: bool,
    /// Who took over its children when it ended.
    reaper: ProcessKey,
    /// How often other entries name this one, as their parent or their reaper.
    named: u32,
    /// Its grace time is over: it stays for those that name it alone.
    expired: bool,
    /// It is in a line that somebody keeps: see [`Table::lineage`].
    in_line: bool,
}

impl<I> Entry<I> {
    /// Whether its exit has been seen.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }
}

/// All processes that the agent knows.
#[derive(Debug)]
pub struct Table<I> {
    entries: FxHashMap<ProcessKey, Entry<I>>,
    /// How often entries name a process that is not here: it may come yet.
    named_absent: FxHashMap<ProcessKey, u32>,
    /// Processes that ended without ever having been here, for the grace time.
    ended_unknown: FxHashSet<ProcessKey>,
    /// Ended processes, oldest first.
    ended: VecDeque<(KernelTimeNs, ProcessKey)>,
    limits: Limits,
    counters: TableCounters,
    lineage: u64,
}

impl<I> Table<I> {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            entries: FxHashMap::default(),
            named_absent: FxHashMap::default(),
            ended_unknown: FxHashSet::default(),
            ended: VecDeque::new(),
            limits,
            counters: TableCounters::default(),
            lineage: 0,
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> TableCounters {
        self.counters
    }

    /// The process, running or lately ended.
    #[must_use]
    pub fn get(&self, key: ProcessKey) -> Option<&Entry<I>> {
        self.entries.get(&key)
    }

    /// The processes whose end was not seen, in no order.
    pub fn running(&self) -> impl Iterator<Item = (ProcessKey, &I)> {
        let running = self.entries.iter().filter(|(_, entry)| !entry.has_ended());
        running.map(|(key, entry)| (*key, &entry.process))
    }

    /// When the process of this id began that entries name and that is not here.
    #[must_use]
    pub fn named_absent(&self, tgid: Tgid) -> Option<KernelTimeNs> {
        self.named_absent.keys().find(|key| key.tgid == tgid).map(|key| key.start)
    }

    /// The process, to change what it is.
    pub fn get_mut(&mut self, key: ProcessKey) -> Option<&mut I> {
        self.entries.get_mut(&key).map(|entry| {
            self.lineage += u64::from(entry.in_line);
            &mut entry.process
        })
    }

    /// A number that is another one once any process of a line has changed, ended, or come to another parent: a line of
    /// entries from one up, each of them noted by [`Table::in_line`], until one that is not here, is as it was while this
    /// number is.
    #[must_use]
    pub fn lineage(&self) -> u64 {
        self.lineage
    }

    /// The process, which is now in a line that the caller keeps.
    pub fn in_line(&mut self, key: ProcessKey) -> Option<&I> {
        self.entries.get_mut(&key).map(|entry| {
            entry.in_line = true;
            &entry.process
        })
    }

    /// Whether its end was seen, be it that nothing else of it ever was.
    #[must_use]
    pub fn has_ended(&self, key: ProcessKey) -> bool {
        self.ended_unknown.contains(&key) || self.get(key).is_some_and(Entry::has_ended)
    }

    /// Whether the end was seen of a process that has this id and began in the same clock tick. Goes over all entries.
    #[must_use]
    pub fn ended_in_tick(&self, key: ProcessKey) -> bool {
        let cut = key.to_the_tick();
        self.ended_of_tick(key).is_some() || self.ended_unknown.iter().any(|other| other.to_the_tick() == cut)
    }

    /// The ended process that has this id and began in the same clock tick. Goes over all entries.
    #[must_use]
    pub fn ended_of_tick(&self, key: ProcessKey) -> Option<ProcessKey> {
        let ended = self.entries.iter().filter(|(_, entry)| entry.has_ended()).map(|(key, _)| *key);
        ended.into_iter().find(|other| other.to_the_tick() == key.to_the_tick())
    }

    /// Counts a process that a record named and that is not here.
    pub fn count_unknown(&mut self) {
        self.counters.unknown += 1;
    }

    /// Adds a process, or replaces what it is. An entry that has ended stays ended: its record came late.
    pub fn insert(&mut self, key: ProcessKey, parent: ProcessKey, process: I) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.process = process;
            self.lineage += u64::from(entry.in_line);
            self.set_parent(key, parent);
            return;
        }
        if self.entries.len() >= self.limits.entries && !self.evict_oldest_ended() {
            self.counters.evicted += 1;
            return;
        }
        let named = self.named_absent.remove(&key).unwrap_or(0);
        // A line that ended where it was missing goes on.
        self.lineage += u64::from(named > 0);
        let entry = Entry {
            parent,
            process,
            ended: None,
            unseen: false,
            reaper: ProcessKey::default(),
            named,
            expired: false,
            in_line: false,
        };
        self.entries.insert(key, entry);
        self.name(parent);
    }

    /// Gives a process that was found in /proc, which tells a start to the clock tick, the start that a record tells: it is one
    /// process, and who named it by the first names it by the second. A walk over the table, where there was such a one.
    pub fn tell_start(&mut self, key: ProcessKey) {
        let cut = key.to_the_tick();
        if cut == key || self.entries.contains_key(&key) {
            return;
        }
        // One that has ended began at that nanosecond, in a tick of which this process is another life of the id.
        if self.has_ended(cut) {
            return;
        }
        let entry = self.entries.remove(&cut);
        let named_absent = self.named_absent.remove(&cut);
        if entry.is_none() && named_absent.is_none() {
            return;
        }
        self.lineage += 1;
        let others = self.entries.values_mut().flat_map(|other| [&mut other.parent, &mut other.reaper]);
        let ended = self.ended.iter_mut().map(|(_, ended)| ended);
        others.chain(ended).filter(|named| **named == cut).for_each(|named| *named = key);
        if let Some(named) = named_absent {
            *self.named_absent.entry(key).or_default() += named;
        }
        if let Some(mut entry) = entry {
            entry.named += self.named_absent.remove(&key).unwrap_or(0);
            self.entries.insert(key, entry);
        }
    }

    /// Notes the real parent that a record told: after a reparenting another one than before.
    pub fn set_parent(&mut self, key: ProcessKey, parent: ProcessKey) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let before = std::mem::replace(&mut entry.parent, parent);
        if before != parent {
            self.lineage += u64::from(entry.in_line);
            self.name(parent);
            self.unname(before);
        }
    }

    /// Notes the end of a process and who takes over its children. Answers `false` where it had ended already.
    pub fn end(&mut self, key: ProcessKey, at: KernelTimeNs, reaper: ProcessKey) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else {
            self.hand_over(key, reaper);
            self.ended.push_back((at, key));
            return self.ended_unknown.insert(key);
        };
        if std::mem::take(&mut entry.unseen) {
            self.counters.ended_unseen -= 1;
        } else if entry.has_ended() {
            return false;
        }
        let queued = entry.ended.replace(at).is_some();
        self.lineage += u64::from(entry.in_line);
        // The first process of a PID namespace would be its own reaper; nobody is left when it ends.
        if reaper != key {
            entry.reaper = reaper;
            self.name(reaper);
        }
        if !queued {
            self.ended.push_back((at, key));
        }
        true
    }

    /// Gives the children of a process that is not here to whoever takes them over.
    fn hand_over(&mut self, key: ProcessKey, reaper: ProcessKey) {
        if !self.named_absent.contains_key(&key) {
            return;
        }
        let children: Vec<ProcessKey> =
            self.entries.iter().filter(|(_, child)| child.parent == key).map(|(key, _)| *key).collect();
        for child in children {
            self.set_parent(child, reaper);
        }
    }

    /// Notes that a process is gone whose exit was not told, and who took over its children is not known. Where the exit
    /// is told after all, [`Table::end`] takes it.
    pub fn end_unseen(&mut self, key: ProcessKey, at: KernelTimeNs) {
        if let Some(entry) = self.entries.get_mut(&key)
            && !entry.has_ended()
        {
            (entry.ended, entry.unseen) = (Some(at), true);
            self.lineage += u64::from(entry.in_line);
            self.ended.push_back((at, key));
            self.counters.ended_unseen += 1;
        }
    }

    /// The real parent of a process at this moment: where the parent has ended, the process that took over its
    /// children, and so on.
    pub fn parent(&mut self, key: ProcessKey) -> Option<ProcessKey> {
        let first = self.entries.get(&key)?.parent;
        let mut parent = first;
        // Each step goes to a process that ended later than the one before, so the walk ends; the bound is for a table
        // built from lost records, which may hold a cycle.
        for _ in 0..self.entries.len() {
            match self.entries.get(&parent) {
                Some(entry) if entry.has_ended() && !entry.reaper.is_none() => parent = entry.reaper,
                Some(_) | None => break,
            }
        }
        // Remembered, so that the next walk is short and the ended ones can go.
        self.set_parent(key, parent);
        Some(parent)
    }

    /// Lets go of what ended longer than the grace time before `now`.
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
            entry.expired = true;
            self.release(key);
        }
    }

    fn name(&mut self, key: ProcessKey) {
        match self.entries.get_mut(&key) {
            Some(entry) => entry.named += 1,
            None if key.is_none() => {}
            None => *self.named_absent.entry(key).or_default() += 1,
        }
    }

    fn unname(&mut self, key: ProcessKey) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.named = entry.named.saturating_sub(1);
            self.release(key);
        } else if let Some(named) = self.named_absent.get_mut(&key) {
            *named -= 1;
            if *named == 0 {
                self.named_absent.remove(&key);
            }
        }
    }

    /// Removes an expired entry that nobody names, then those that it named where nobody else does, and so on.
    fn release(&mut self, key: ProcessKey) {
        let mut candidates = vec![key];
        while let Some(key) = candidates.pop() {
            if !self.entries.get(&key).is_some_and(|entry| entry.expired && entry.named == 0) {
                continue;
            }
            let Some(Entry { parent, reaper, .. }) = self.entries.remove(&key) else { continue };
            for named in [parent, reaper] {
                match self.entries.get_mut(&named) {
                    Some(entry) => {
                        entry.named = entry.named.saturating_sub(1);
                        candidates.push(named);
                    }
                    None => self.unname(named),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
