//! What of a recording is kept as a fixture: one process and all that it began, and nothing that names the machine or comes
//! from anybody's environment.

use std::collections::HashSet;

use collector_common::{Counters, ExecRecord, Kind, PF_KTHREAD};
use zerocopy::FromBytes;

use crate::common::{
    lives::{Life, life_of, parent_of, state_of},
    recording::{Recording, kind_of},
};

/// Variables that a workload may have. Any other one would have leaked from the machine of the recording.
const HARMLESS: &[&str] = &["PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "LC_ALL"];
/// Those that a workload sets itself begin so.
const OWN: &str = "FIXTURE_";

/// The recording of `root` and its descendants, from the fork of `root` on; with it, what the kernel itself connected.
pub(crate) fn trim(whole: &Recording, root: u32) -> Recording {
    let mut kept =
        Recording { machine: whole.machine.clone(), records: Vec::new(), counters: Counters::default() };
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

/// Kernel tasks that began a connection.
fn kernel_connectors(recording: &Recording) -> HashSet<Life> {
    let connects = recording.records.iter().filter(|record| kind_of(record) == Some(Kind::Connect));
    let states = connects.filter_map(|record| state_of(record));
    states.filter(|state| state.flags & PF_KTHREAD != 0).map(|state| life_of(&state)).collect()
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
