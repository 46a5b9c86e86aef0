//! The lives of processes that records are about.

use std::collections::HashSet;

use collector_common::{
    ConnectRecord, ConnectResultRecord, ExecRecord, ExitRecord, Kind, TaskRecord, TaskState,
};
use zerocopy::FromBytes;

use super::recording::{Recording, kind_of};

/// One life of a process: its id and its start.
pub(crate) type Life = (u32, u64);

/// The processes that a recording names as parents and has no record of.
pub(crate) fn unknown_parents(recording: &Recording) -> Vec<Life> {
    let states = || recording.records.iter().filter_map(|record| state_of(record));
    let known: HashSet<Life> = states().map(|state| life_of(&state)).collect();
    let mut unknown: Vec<Life> = states().map(|state| parent_of(&state)).collect();
    unknown.retain(|parent| parent.0 != 0 && !known.contains(parent));
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}

/// What a record says of its process.
pub(crate) fn state_of(record: &[u8]) -> Option<TaskState> {
    Some(match kind_of(record)? {
        Kind::Fork | Kind::Task => TaskRecord::read_from_bytes(record).ok()?.task.state,
        Kind::Exec => ExecRecord::read_from_prefix(record).ok()?.0.task.state,
        Kind::Exit => ExitRecord::read_from_bytes(record).ok()?.task,
        Kind::Connect => ConnectRecord::read_from_bytes(record).ok()?.task,
        Kind::ConnectResult => ConnectResultRecord::read_from_bytes(record).ok()?.task,
    })
}

/// The life that a record is about.
pub(crate) fn life_of(state: &TaskState) -> Life {
    (state.tgid, state.start_ns)
}

/// The life of the parent.
pub(crate) fn parent_of(state: &TaskState) -> Life {
    (state.parent_tgid, state.parent_start_ns)
}
