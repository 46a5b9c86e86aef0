//! What of a recording is kept as a fixture: one process and all that it began, and nothing that names the machine or
//! that was in anybody's environment.

use std::collections::HashSet;

use collector_common::{
    ConnectRecord, ConnectResultRecord, Counters, ExecRecord, ExitRecord, Kind, PF_KTHREAD, TaskRecord,
    TaskState,
};
use zerocopy::FromBytes;

use super::tape::{Tape, kind_of};

/// Variables that a workload may have. One that is not here would have leaked from the machine of the recording.
const HARMLESS: &[&str] = &["PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "LC_ALL"];
/// Those that a workload sets itself begin so.
const OWN: &str = "FIXTURE_";

/// One life of a process: its id and its start.
type Life = (u32, u64);

/// The recording of `root` and its descendants, from the fork of `root` on; with it, what the kernel itself connected.
pub(crate) fn trim(whole: &Tape, root: u32) -> Tape {
    let mut kept =
        Tape { machine: whole.machine.clone(), records: Vec::new(), counters: Counters::default() };
    kept.forget_the_machine();
    let workers = kernel_connectors(whole);
    let mut tree: HashSet<Life> = HashSet::new();
    for record in &whole.records {
        let (Some(kind), Some(state)) = (kind_of(record), state_of(record)) else { continue };
        let life = life_of(&state);
        if kind == Kind::Fork && (state.tgid == root || tree.contains(&parent_of(&state))) {
            tree.insert(life);
        }
        let of_a_worker =
            workers.contains(&life) && matches!(kind, Kind::Task | Kind::Connect | Kind::ConnectResult);
        if tree.contains(&life) || of_a_worker {
            forbid_leaks(record);
            kept.add(record);
        }
    }
    assert!(!tree.is_empty(), "the fork of {root} was not recorded");
    kept
}

/// The processes that a recording names as parents and does not tell anything of.
pub(crate) fn unknown_parents(tape: &Tape) -> Vec<Life> {
    let states = || tape.records.iter().filter_map(|record| state_of(record));
    let known: HashSet<Life> = states().map(|state| life_of(&state)).collect();
    let mut unknown: Vec<Life> = states().map(|state| parent_of(&state)).collect();
    unknown.retain(|parent| parent.0 != 0 && !known.contains(parent));
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}

/// Kernel tasks that began a connection.
fn kernel_connectors(tape: &Tape) -> HashSet<Life> {
    let connects = tape.records.iter().filter(|record| kind_of(record) == Some(Kind::Connect));
    let states = connects.filter_map(|record| state_of(record));
    states.filter(|state| state.flags & PF_KTHREAD != 0).map(|state| life_of(&state)).collect()
}

fn state_of(record: &[u8]) -> Option<TaskState> {
    Some(match kind_of(record)? {
        Kind::Fork | Kind::Task => TaskRecord::read_from_bytes(record).ok()?.task.state,
        Kind::Exec => ExecRecord::read_from_prefix(record).ok()?.0.task.state,
        Kind::Exit => ExitRecord::read_from_bytes(record).ok()?.task,
        Kind::Connect => ConnectRecord::read_from_bytes(record).ok()?.task,
        Kind::ConnectResult => ConnectResultRecord::read_from_bytes(record).ok()?.task,
    })
}

fn life_of(state: &TaskState) -> Life {
    (state.tgid, state.start_ns)
}

fn parent_of(state: &TaskState) -> Life {
    (state.parent_tgid, state.parent_start_ns)
}

/// Fails where an exec carries a variable that no workload has set.
fn forbid_leaks(record: &[u8]) {
    if kind_of(record) != Some(Kind::Exec) {
        return;
    }
    let (fixed, pieces) = ExecRecord::read_from_prefix(record).unwrap();
    let env = &pieces[pieces.len() - usize::try_from(fixed.env.len).unwrap()..];
    for variable in env.split(|&byte| byte == 0).filter(|variable| !variable.is_empty()) {
        let variable = String::from_utf8_lossy(variable);
        let name = variable.split('=').next().unwrap_or_default();
        assert!(HARMLESS.contains(&name) || name.starts_with(OWN), "{name} would be published");
    }
}
