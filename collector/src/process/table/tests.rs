//! The table alone, without records.

use super::{KernelTimeNs, ProcessKey, Table, TableLimits};

const GRACE: u64 = 100;

fn key(tgid: u32) -> ProcessKey {
    ProcessKey::new(tgid, u64::from(tgid))
}

fn parent(tgid: u32) -> Option<ProcessKey> {
    ProcessKey::from_record(tgid, u64::from(tgid))
}

/// A table of a chain: 1 is the parent of 2, 2 of 3, and so on.
fn chain(len: u32) -> Table<u32> {
    let mut table = Table::new(TableLimits { entries: 100, grace_ns: GRACE });
    for tgid in 1..=len {
        table.insert(key(tgid), parent(tgid - 1), tgid);
    }
    table
}

fn end(table: &mut Table<u32>, tgid: u32, at: u64) -> bool {
    table.end(key(tgid), KernelTimeNs(at), parent(1))
}

#[test]
fn every_change_to_a_cached_chain_changes_the_generation() {
    type Change = fn(&mut Table<u32>);
    let changes: [(&str, Change); 7] = [
        ("another image", |table| table.insert(key(2), parent(1), 22)),
        ("another name", |table| {
            table.get_mut(key(2));
        }),
        ("another parent", |table| table.set_parent(key(3), parent(1))),
        ("the end of one", |table| {
            end(table, 2, 1000);
        }),
        ("an end without an exit record", |table| table.end_unseen(key(2), KernelTimeNs(1000))),
        ("the end of the first", |table| {
            end(table, 1, 1000);
        }),
        ("one that was missing above", |table| table.insert(key(9), parent(0), 9)),
    ];
    for (what, change) in changes {
        let mut table = chain(4);
        table.set_parent(key(1), parent(9));
        for tgid in 1..=3 {
            table.add_to_chain(key(tgid));
        }
        let before = table.chain_generation();
        change(&mut table);
        assert_ne!(table.chain_generation(), before, "{what}");
    }
}

#[test]
fn a_process_outside_of_all_chains_leaves_the_generation_unchanged() {
    let mut table = chain(3);
    table.add_to_chain(key(1));
    let before = table.chain_generation();
    table.insert(key(4), parent(2), 4);
    table.insert(key(4), parent(3), 5);
    end(&mut table, 4, 1000);
    table.expire(KernelTimeNs(1000 + GRACE));
    assert_eq!(table.chain_generation(), before);
}

#[test]
fn an_ended_process_stays_for_its_grace_time() {
    let mut table = chain(2);
    assert!(end(&mut table, 2, 1000));
    table.expire(KernelTimeNs(1000 + GRACE - 1));
    assert!(table.get(key(2)).is_some());
    table.expire(KernelTimeNs(1000 + GRACE));
    assert!(table.get(key(2)).is_none());
}

#[test]
fn a_second_exit_of_one_process_is_rejected() {
    let mut table = chain(2);
    assert!(end(&mut table, 2, 1000));
    assert!(!end(&mut table, 2, 1001));
}

#[test]
fn a_process_whose_exit_was_lost_expires_and_a_late_exit_is_accepted() {
    let mut table = chain(3);
    table.end_unseen(key(3), KernelTimeNs(1000));
    assert!(table.has_ended(key(3)));
    assert!(end(&mut table, 3, 1001));
    assert!(!end(&mut table, 3, 1002));
    table.end_unseen(key(2), KernelTimeNs(1003));
    table.end_unseen(key(2), KernelTimeNs(1004));
    table.expire(KernelTimeNs(1003 + GRACE));
    assert_eq!((table.len(), table.counters().ended_unseen), (1, 1));
}

#[test]
fn an_ended_process_is_found_by_the_clock_tick_of_its_start() {
    let mut table = Table::new(TableLimits { entries: 100, grace_ns: GRACE });
    let tick = 10_000_000;
    for tgid in [2, 3] {
        table.insert(ProcessKey::new(tgid, 7 * tick + 5), parent(1), tgid);
    }
    table.end(ProcessKey::new(2, 7 * tick + 5), KernelTimeNs(8 * tick), parent(1));
    table.end(ProcessKey::new(4, 7 * tick + 5), KernelTimeNs(8 * tick), parent(1));
    let ended = |tgid, ticks: u64| table.ended_in_tick(ProcessKey::new(tgid, ticks * tick));
    assert!(ended(2, 7) && ended(4, 7));
    assert!(!ended(2, 8) && !ended(3, 7));
}

#[test]
fn a_reused_id_is_another_process() {
    let mut table = chain(2);
    end(&mut table, 2, 1000);
    table.insert(ProcessKey::new(2, 1001), parent(1), 22);
    assert_eq!(table.get(key(2)).map(|entry| entry.process), Some(2));
    assert_eq!(table.get(ProcessKey::new(2, 1001)).map(|entry| entry.process), Some(22));
}

#[test]
fn a_tick_precise_start_becomes_the_exact_start_of_a_record() {
    let tick = 10_000_000;
    let (cut, exact) = (ProcessKey::new(2, 3 * tick), ProcessKey::new(2, 3 * tick + 5));
    let mut table = chain(1);
    table.insert(cut, parent(1), 2);
    table.insert(ProcessKey::new(3, 4 * tick), Some(cut), 3);
    table.insert(ProcessKey::new(4, 5 * tick), Some(exact), 4);
    table.refine_start(exact);
    assert!(table.get(cut).is_none());
    assert!(table.end(exact, KernelTimeNs(1000), parent(1)));
    for child in [ProcessKey::new(3, 4 * tick), ProcessKey::new(4, 5 * tick)] {
        assert_eq!(table.parent(child), Some(key(1)));
    }
    table.expire(KernelTimeNs(1000 + GRACE));
    assert!(table.get(exact).is_none(), "no entry names it any more");
}

#[test]
fn a_child_whose_parent_ended_has_the_reaper_as_its_parent() {
    let mut table = chain(4);
    end(&mut table, 3, 1000);
    end(&mut table, 2, 1001);
    assert_eq!(table.parent(key(4)), Some(key(1)));
}

#[test]
fn the_reaper_also_takes_over_children_of_a_process_that_was_never_in_the_table() {
    let mut table = chain(1);
    table.insert(key(3), parent(2), 3);
    assert!(end(&mut table, 2, 1000));
    assert_eq!(table.parent(key(3)), Some(key(1)));
}

#[test]
fn an_ended_parent_stays_until_its_last_child_is_gone() {
    let mut table = chain(3);
    end(&mut table, 2, 1000);
    table.expire(KernelTimeNs(1000 + GRACE));
    assert!(table.get(key(2)).is_some(), "3 still names it");
    end(&mut table, 3, 2000);
    table.expire(KernelTimeNs(2000 + GRACE));
    assert_eq!(table.len(), 1);
}

#[test]
fn a_walk_over_ended_parents_lets_them_expire() {
    let mut table = chain(3);
    end(&mut table, 2, 1000);
    table.expire(KernelTimeNs(1000 + GRACE));
    assert_eq!(table.parent(key(3)), Some(key(1)));
    assert!(table.get(key(2)).is_none());
}

#[test]
fn a_cycle_of_reapers_ends_the_walk() {
    let mut table = chain(3);
    table.end(key(1), KernelTimeNs(5), parent(2));
    table.end(key(2), KernelTimeNs(6), parent(1));
    assert!(table.parent(key(3)).is_some());
}

#[test]
fn a_full_table_evicts_the_oldest_ended_process() {
    let mut table = Table::new(TableLimits { entries: 2, grace_ns: GRACE });
    table.insert(key(1), parent(0), 1);
    table.insert(key(2), parent(0), 2);
    end(&mut table, 1, 10);
    table.insert(key(3), parent(0), 3);
    assert!(table.get(key(1)).is_none());
    assert!(table.get(key(3)).is_some());
    assert_eq!(table.counters().evicted, 1);
}

#[test]
fn a_table_full_of_running_processes_rejects_a_new_one() {
    let mut table = Table::new(TableLimits { entries: 1, grace_ns: GRACE });
    table.insert(key(1), parent(0), 1);
    table.insert(key(2), parent(0), 2);
    assert!(table.get(key(2)).is_none());
    assert_eq!(table.counters().evicted, 1);
}
