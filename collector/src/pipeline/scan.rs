//! The order in which the records of the start-up scan are read.

use std::collections::HashSet;

use crate::{
    decode::{Record, decode},
    source::OwnedRecord,
};

/// Removes the scan's records from `records` and returns them in the order in which their processes started: a parent before
/// its children. A process whose fork is among the records did not run before, so its record stays where it is.
pub(super) fn parents_first(records: &mut Vec<OwnedRecord>) -> Vec<OwnedRecord> {
    let forked: HashSet<_> = records.iter().filter_map(|record| key(record, true)).collect();
    let is_scanned = |record: &mut OwnedRecord| key(record, false).is_some_and(|key| !forked.contains(&key));
    let mut scanned: Vec<_> = records.extract_if(.., is_scanned).collect();
    scanned.sort_by_key(|record| key(record, false).map(|(start_ns, _)| start_ns));
    scanned
}

/// Start and id of the process, if the record is of a fork (`forked`), or else of the scan.
fn key(record: &OwnedRecord, forked: bool) -> Option<(u64, u32)> {
    match decode(record.bytes()) {
        Ok(Record::Fork(record)) if forked => Some((record.task.state.start_ns, record.task.state.tgid)),
        Ok(Record::Task(record)) if !forked => Some((record.task.state.start_ns, record.task.state.tgid)),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use collector_common::{Kind, TaskRecord, WIRE_VERSION};
    use zerocopy::{FromZeros as _, IntoBytes as _};

    use super::{OwnedRecord, key, parents_first};

    fn record(kind: Kind, tgid: u32, start_ns: u64) -> OwnedRecord {
        let mut record = TaskRecord::new_zeroed();
        record.header.version = WIRE_VERSION;
        record.header.kind = kind.to_wire();
        record.header.len = size_of::<TaskRecord>().try_into().unwrap();
        record.task.state.tgid = tgid;
        record.task.state.start_ns = start_ns;
        OwnedRecord::copy(record.as_bytes())
    }

    #[test]
    fn a_parent_with_a_higher_id_comes_before_its_child() {
        let mut records = vec![record(Kind::Task, 7, 200), record(Kind::Task, 30_000, 100)];
        let found = parents_first(&mut records);
        assert_eq!(
            found.iter().filter_map(|record| key(record, false)).collect::<Vec<_>>(),
            [(100, 30_000), (200, 7)]
        );
        assert!(records.is_empty());
    }

    #[test]
    fn a_process_whose_fork_was_seen_did_not_run_before() {
        let mut records = vec![record(Kind::Fork, 7, 200), record(Kind::Task, 7, 200)];
        assert!(parents_first(&mut records).is_empty());
        assert_eq!(records.len(), 2);
    }
}
