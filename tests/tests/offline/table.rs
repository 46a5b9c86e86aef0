//! The process table answers like one that never forgets, whatever is inserted, ended and looked up, in any order.

use std::collections::HashMap;

use collector::process::{KernelTimeNs, ProcessKey, Table, TableLimits};
use proptest::{collection::vec, prelude::*};

/// What may happen to the table.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process is inserted, with its parent.
    Insert { tgid: u32, parent: u32 },
    /// A process ends; another one takes over its children.
    End { tgid: u32, reaper: u32 },
    /// Time goes by, in units of half the grace time.
    Wait(u64),
    /// A parent is looked up.
    Ask(u32),
}

/// Ids from 1 up to this.
const TGIDS: u32 = 6;

const GRACE_NS: u64 = 100;

/// A parent and a reaper have a lower id: there is no cycle, as in the kernel.
fn step() -> impl Strategy<Value = Step> {
    let pair = || (2..=TGIDS).prop_flat_map(|tgid| (Just(tgid), 1..tgid));
    prop_oneof![
        4 => pair().prop_map(|(tgid, parent)| Step::Insert { tgid, parent }),
        3 => pair().prop_map(|(tgid, reaper)| Step::End { tgid, reaper }),
        2 => (1_u64..4).prop_map(Step::Wait),
        1 => (2..=TGIDS).prop_map(Step::Ask),
    ]
}

/// A table that never forgets.
#[derive(Debug, Default)]
struct Model {
    lives: HashMap<u32, Life>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    value: usize,
    parent: u32,
    /// When it ended, and who took over its children.
    end: Option<(u64, u32)>,
}

impl Model {
    fn has_ended(&self, tgid: u32) -> bool {
        self.lives.get(&tgid).is_some_and(|life| life.end.is_some())
    }

    /// Whether the kernel could report this: a parent or a reaper runs at that time, and no process is inserted after its end.
    fn allows(&self, step: Step) -> bool {
        match step {
            Step::Insert { tgid, parent } => !self.has_ended(tgid) && !self.has_ended(parent),
            Step::End { tgid, reaper } => self.lives.contains_key(&tgid) && !self.has_ended(reaper),
            Step::Wait(_) => true,
            Step::Ask(tgid) => self.lives.contains_key(&tgid),
        }
    }

    fn parent(&self, tgid: u32) -> u32 {
        let mut parent = self.lives[&tgid].parent;
        while let Some((_, reaper)) = self.lives.get(&parent).and_then(|life| life.end) {
            parent = reaper;
        }
        parent
    }
}

fn key(tgid: u32) -> ProcessKey {
    ProcessKey::new(tgid, u64::from(tgid))
}

/// A parent or a reaper; `None` for 0.
fn named(tgid: u32) -> Option<ProcessKey> {
    ProcessKey::from_record(tgid, u64::from(tgid))
}

/// Both tables, side by side.
struct Both {
    table: Table<usize>,
    model: Model,
    now_ns: u64,
}

impl Both {
    /// With pid 1, which never ends.
    fn new() -> Self {
        let mut both = Self {
            table: Table::new(TableLimits { entries: 100, grace_ns: GRACE_NS }),
            model: Model::default(),
            now_ns: 1000,
        };
        both.insert(0, 1, 0);
        both
    }

    fn insert(&mut self, value: usize, tgid: u32, parent: u32) {
        self.table.insert(key(tgid), named(parent), value);
        let end = self.model.lives.get(&tgid).and_then(|life| life.end);
        self.model.lives.insert(tgid, Life { value, parent, end });
    }

    fn take(&mut self, value: usize, step: Step) {
        if !self.model.allows(step) {
            return;
        }
        match step {
            Step::Insert { tgid, parent } => self.insert(value, tgid, parent),
            Step::End { tgid, reaper } => {
                let life = self.model.lives.get_mut(&tgid).unwrap();
                let first = life.end.is_none();
                if first {
                    life.end = Some((self.now_ns, reaper));
                }
                if self.table.get(key(tgid)).is_some() {
                    assert_eq!(self.table.end(key(tgid), KernelTimeNs(self.now_ns), named(reaper)), first);
                }
            }
            Step::Wait(halves) => {
                self.now_ns += halves * GRACE_NS / 2;
                self.table.expire(KernelTimeNs(self.now_ns));
            }
            Step::Ask(tgid) => {
                if self.table.get(key(tgid)).is_some() {
                    assert_eq!(
                        self.table.parent(key(tgid)),
                        named(self.model.parent(tgid)),
                        "parent of {tgid}"
                    );
                }
            }
        }
    }

    fn check(&self) {
        for (&tgid, life) in &self.model.lives {
            let entry = self.table.get(key(tgid));
            let must_be_there = life.end.is_none_or(|(at, _)| self.now_ns - at < GRACE_NS);
            assert!(entry.is_some() || !must_be_there, "{tgid} was forgotten too early");
            if let Some(entry) = entry {
                assert_eq!((entry.process, entry.has_ended()), (life.value, life.end.is_some()), "{tgid}");
            }
        }
    }

    fn ask_all(&mut self) {
        for tgid in 2..=TGIDS {
            self.take(0, Step::Ask(tgid));
        }
    }

    /// Ends all but pid 1.
    fn end_all(&mut self) {
        for tgid in 2..=TGIDS {
            self.take(0, Step::End { tgid, reaper: 1 });
        }
        self.take(0, Step::Wait(3));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_has_what_runs_and_what_ended_lately(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().filter(|step| !matches!(step, Step::Ask(_))).enumerate() {
            both.take(value, step);
            both.check();
        }
    }

    #[test]
    fn a_table_whose_processes_have_all_ended_is_empty(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().filter(|step| !matches!(step, Step::Ask(_))).enumerate() {
            both.take(value, step);
        }
        both.end_all();
        prop_assert_eq!(both.table.len(), 1);
    }

    #[test]
    fn what_the_table_forgets_changes_no_parent(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().enumerate() {
            // Records in the kernel's order: a parent comes before its children, a reaper before it takes over.
            let known = |tgid| both.model.lives.contains_key(&tgid);
            let in_order = match step {
                Step::Insert { parent: other, .. } | Step::End { reaper: other, .. } => known(other),
                Step::Wait(_) | Step::Ask(_) => true,
            };
            if in_order {
                both.take(value, step);
            }
        }
        both.ask_all();
    }

    #[test]
    fn a_parent_that_is_inserted_after_its_child_is_kept_as_long(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().enumerate() {
            // Only pid 1 takes over here, which never ends: what becomes of reapers is another test's.
            let step = if let Step::End { tgid, .. } = step { Step::End { tgid, reaper: 1 } } else { step };
            both.take(value, step);
        }
        both.ask_all();
    }
}
