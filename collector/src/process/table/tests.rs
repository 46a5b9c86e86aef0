//! What the table does of itself, without records.

use super::{KernelTimeNs, Limits, ProcessKey, Table};

const GRACE: u64 = 100;

fn key(tgid: u32) -> ProcessKey {
    ProcessKey::new(tgid, u64::from(tgid))
}

/// A table of a chain: 1 is the parent of 2, 2 of 3, and so on.
fn chain(len: u32) -> Table<u32> {
    let mut table = Table::new(Limits { entries: 100, grace_ns: GRACE });
    for tgid in 1..=len {
        table.insert(key(tgid), key(tgid - 1), tgid);
    }
    table
}

fn end(table: &mut Table<u32>, tgid: u32, at: u64) -> bool {
    table.end(key(tgid), KernelTimeNs(at), key(1))
}

#[test]
fn whatever_changes_a_line_that_is_kept_changes_its_number() {
    type Change = fn(&mut Table<u32>);
    let changes: [(&str, Change); 7] = [
        ("another image", |table| table.insert(key(2), key(1), 22)),
        ("another name", |table| {
            table.get_mut(key(2));
        }),
        ("another parent", |table| table.set_parent(key(3), key(1))),
        ("the end of one", |table| {
            end(table, 2, 1000);
        }),
        ("an end that was not told", |table| table.end_unseen(key(2), KernelTimeNs(1000))),
        ("the end of the first", |table| {
            end(table, 1, 1000);
        }),
        ("one that was missing above", |table| table.insert(key(9), key(0), 9)),
    ];
    for (what, change) in changes {
        let mut table = chain(4);
        table.set_parent(key(1), key(9));
        for tgid in 1..=3 {
            table.in_line(key(tgid));
        }
        let before = table.lineage();
        change(&mut table);
        assert_ne!(table.lineage(), before, "{what}");
    }
}

#[test]
fn a_process_that_is_in_no_line_comes_changes_and_goes_without_a_new_number() {
    let mut table = chain(3);
    table.in_line(key(1));
    let before = table.lineage();
    table.insert(key(4), key(2), 4);
    table.insert(key(4), key(3), 5);
    end(&mut table, 4, 1000);
    table.expire(KernelTimeNs(1000 + GRACE));
    assert_eq!(table.lineage(), before);
}

#[test]
fn an_ended_process_is_found_until_its_grace_time_is_over() {
    let mut table = chain(2);
    assert!(end(&mut table, 2, 1000));
    table.expire(KernelTimeNs(1000 + GRACE - 1));
    assert!(table.get(key(2)).is_some());
    table.expire(KernelTimeNs(1000 + GRACE));
    assert!(table.get(key(2)).is_none());
}

#[test]
fn a_second_exit_of_one_process_is_told_apart() {
    let mut table = chain(2);
    assert!(end(&mut table, 2, 1000));
    assert!(!end(&mut table, 2, 1001));
}

#[test]
fn a_process_whose_exit_was_lost_goes_and_an_exit_that_comes_after_all_is_told() {
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
fn an_end_is_found_by_the_clock_tick_of_the_start() {
    let mut table = Table::new(Limits { entries: 100, grace_ns: GRACE });
    let tick = 10_000_000;
    for tgid in [2, 3] {
        table.insert(ProcessKey::new(tgid, 7 * tick + 5), key(1), tgid);
    }
    table.end(ProcessKey::new(2, 7 * tick + 5), KernelTimeNs(8 * tick), key(1));
    table.end(ProcessKey::new(4, 7 * tick + 5), KernelTimeNs(8 * tick), key(1));
    let ended = |tgid, ticks: u64| table.ended_in_tick(ProcessKey::new(tgid, ticks * tick));
    assert!(ended(2, 7) && ended(4, 7));
    assert!(!ended(2, 8) && !ended(3, 7));
}

#[test]
fn a_reused_id_is_another_process() {
    let mut table = chain(2);
    end(&mut table, 2, 1000);
    table.insert(ProcessKey::new(2, 1001), key(1), 22);
    assert_eq!(table.get(key(2)).map(|entry| entry.process), Some(2));
    assert_eq!(table.get(ProcessKey::new(2, 1001)).map(|entry| entry.process), Some(22));
}

#[test]
fn a_process_that_was_found_to_the_tick_is_the_one_that_a_record_tells_to_the_nanosecond() {
    let tick = 10_000_000;
    let (cut, exact) = (ProcessKey::new(2, 3 * tick), ProcessKey::new(2, 3 * tick + 5));
    let mut table = chain(1);
    table.insert(cut, key(1), 2);
    table.insert(ProcessKey::new(3, 4 * tick), cut, 3);
    table.insert(ProcessKey::new(4, 5 * tick), exact, 4);
    table.tell_start(exact);
    assert!(table.get(cut).is_none());
    assert!(table.end(exact, KernelTimeNs(1000), key(1)));
    for child in [ProcessKey::new(3, 4 * tick), ProcessKey::new(4, 5 * tick)] {
        assert_eq!(table.parent(child), Some(key(1)));
    }
    table.expire(KernelTimeNs(1000 + GRACE));
    assert!(table.get(exact).is_none(), "nobody names it any more");
}

#[test]
fn a_child_whose_parent_ended_has_the_reaper_as_its_parent() {
    let mut table = chain(4);
    end(&mut table, 3, 1000);
    end(&mut table, 2, 1001);
    assert_eq!(table.parent(key(4)), Some(key(1)));
}

#[test]
fn a_child_of_a_process_that_was_never_told_is_the_reaper_s_too() {
    let mut table = chain(1);
    table.insert(key(3), key(2), 3);
    assert!(end(&mut table, 2, 1000));
    assert_eq!(table.parent(key(3)), Some(key(1)));
}

#[test]
fn a_parent_that_ended_stays_for_its_children_and_goes_with_the_last() {
    let mut table = chain(3);
    end(&mut table, 2, 1000);
    table.expire(KernelTimeNs(1000 + GRACE));
    assert!(table.get(key(2)).is_some(), "3 still names it");
    end(&mut table, 3, 2000);
    table.expire(KernelTimeNs(2000 + GRACE));
    assert_eq!(table.len(), 1);
}

#[test]
fn a_walk_over_ended_parents_lets_them_go() {
    let mut table = chain(3);
    end(&mut table, 2, 1000);
    table.expire(KernelTimeNs(1000 + GRACE));
    assert_eq!(table.parent(key(3)), Some(key(1)));
    assert!(table.get(key(2)).is_none());
}

#[test]
fn a_cycle_of_reapers_ends_the_walk() {
    let mut table = chain(3);
    table.end(key(1), KernelTimeNs(5), key(2));
    table.end(key(2), KernelTimeNs(6), key(1));
    assert!(table.parent(key(3)).is_some());
}

#[test]
fn a_full_table_lets_the_oldest_ended_process_go_first() {
    let mut table = Table::new(Limits { entries: 2, grace_ns: GRACE });
    table.insert(key(1), key(0), 1);
    table.insert(key(2), key(0), 2);
    end(&mut table, 1, 10);
    table.insert(key(3), key(0), 3);
    assert!(table.get(key(1)).is_none());
    assert!(table.get(key(3)).is_some());
    assert_eq!(table.counters().evicted, 1);
}

#[test]
fn a_table_full_of_running_processes_keeps_them() {
    let mut table = Table::new(Limits { entries: 1, grace_ns: GRACE });
    table.insert(key(1), key(0), 1);
    table.insert(key(2), key(0), 2);
    assert!(table.get(key(2)).is_none());
    assert_eq!(table.counters().evicted, 1);
}
