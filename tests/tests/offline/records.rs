//! Records made by hand: broken ones, a second exit, processes that no earlier record introduced, lists that were truncated.

use collector::event::{Action, LossReason};
use collector_common::Piece;

use crate::common::{
    fake_proc::FakeProc,
    made::{Made, Pieces, with_pieces},
    recording::Recording,
    stream::{actions, check_counters, events_of, everything, only, replay},
};

/// Two children of pid 1 that exec and exit, one after the other.
pub(crate) fn two_lives() -> Recording {
    let mut recording = Recording::new().with(&Made::init().found());
    for (tgid, begin_ns) in [(100, 2_000_000_000), (101, 3_000_000_000)] {
        let made = Made::new(tgid, begin_ns);
        recording.add(&made.fork());
        recording
            .add(&made.exec(begin_ns + 1, &Pieces { path: b"/bin/x", args: b"x\0", ..Pieces::default() }));
        recording.add(&made.exit(begin_ns + 2, 0));
    }
    recording
}

/// The events of the two lives with a broken record between them.
#[track_caller]
fn check_broken(broken: &[u8], action: Option<Action>) {
    let mut recording = two_lives();
    recording.add(broken);
    recording.records.swap(4, 7);
    let events = events_of(&recording, &FakeProc::new());
    let loss = only(&events, Action::Loss).loss.clone().unwrap();
    assert_eq!((loss.reason, loss.count, loss.action), (LossReason::Decode, 1, action));
    let exits = events.iter().filter(|event| event.action() == Action::Exit);
    assert_eq!(exits.count(), 2, "{:?}", actions(&events));
    check_counters(&events);
}

#[test]
fn a_broken_record_is_a_loss_and_the_next_ones_are_reported() {
    let exit = Made::new(100, 2_000_000_000).exit(2_000_000_002, 0);
    check_broken(&exit[..100], Some(Action::Exit));
    check_broken(&[exit.clone(), vec![0; 8]].concat(), Some(Action::Exit));
    let mut other_version = exit.clone();
    other_version[0] = 9;
    check_broken(&other_version, Some(Action::Exit));
    let exec =
        Made::new(100, 2_000_000_000).exec(2_000_000_001, &Pieces { path: b"/bin/x", ..Pieces::default() });
    check_broken(&exec[..exec.len() - 1], Some(Action::Exec));
}

#[test]
fn a_record_of_an_unknown_kind_is_a_loss_of_an_unknown_action() {
    let mut other_kind = Made::new(100, 2_000_000_000).exit(2_000_000_002, 0);
    other_kind[2] = 99;
    check_broken(&other_kind, None);
    check_broken(&[], None);
    check_broken(&[1, 0, 3], None);
}

#[test]
fn a_second_exit_of_a_process_is_counted_as_filtered() {
    let mut recording = two_lives();
    recording.add(&Made::new(101, 3_000_000_000).exit(3_000_000_003, 0));
    let events = events_of(&recording, &FakeProc::new());
    assert_eq!(events.iter().filter(|event| event.action() == Action::Exit).count(), 2);
    let counters = only(&events, Action::AgentStop).counters.as_ref().unwrap();
    assert_eq!((counters["exit"].written, counters["exit"].filtered), (2, 1));
    check_counters(&events);
}

#[test]
fn the_exit_of_a_process_that_was_never_seen_has_what_is_known_and_what_is_missing() {
    let events = events_of(
        &Recording::new().with(&Made::new(100, 2_000_000_000).exit(3_000_000_000, 9)),
        &FakeProc::new(),
    );
    let exit = only(&events, Action::Exit);
    let process = exit.process.as_ref().unwrap();
    assert_eq!((process.pid, process.comm.as_deref(), process.uptime), (Some(100), Some("made"), Some(1)));
    assert_eq!(process.exit.as_ref().unwrap().signal_name.as_deref(), Some("SIGKILL"));
    assert_eq!(process.parent.as_ref().unwrap().pid, Some(1));
    for field in
        ["process.executable", "process.args", "process.working_directory", "process.exe", "process.hash"]
    {
        let reason = exit.capture.missing.get(field).map(|reason| reason.0.as_ref());
        assert_eq!(reason, Some("exited"), "{field} is absent");
    }
    check_counters(&events);
}

#[test]
fn a_fork_whose_parent_is_unknown_names_the_parent_and_says_that_more_is_missing() {
    let stranger = Made::new(50, 1_500_000_000);
    let child = Made::new(100, 2_000_000_000).below(&stranger);
    let events = events_of(&Recording::new().with(&child.fork()), &FakeProc::new());
    let fork = only(&events, Action::Fork);
    let process = fork.process.as_ref().unwrap();
    assert_eq!(process.parent.as_ref().unwrap().pid, Some(50));
    assert_eq!(process.ancestors.as_ref().unwrap().len(), 1);
    assert_eq!(fork.capture.missing["process.ancestors"].0, "exited");
    assert_eq!(fork.capture.missing["process.executable"].0, "exited");
    for field in ["entity_id", "exec_id", "comm", "executable", "args"] {
        assert_eq!(fork.capture.missing[&*format!("process.parent.{field}")].0, "exited");
    }
}

#[test]
fn an_exit_without_an_exec_has_its_code() {
    let life = Made::new(100, 2_000_000_000);
    let (fork, exit) = (life.fork(), life.exit(2_000_000_001, 7 << 8));
    let recording = Recording::new().with(&Made::init().found()).with(&fork).with(&exit);
    let events = events_of(&recording, &FakeProc::new());
    check_counters(&events);
    assert_eq!(only(&events, Action::Exit).process.as_ref().unwrap().exit_code, Some(7));
}

#[test]
fn a_process_beyond_a_full_table_is_reported_whole() {
    let mut config = everything();
    config.processes.entries = 1;
    let mut recording = Recording::new().with(&Made::init().found());
    let pieces = Pieces { path: b"/bin/x", cwd: b"/", args: b"x\0", ..Pieces::default() };
    recording.add(&Made::new(100, 2_000_000_000).exec(2_000_000_001, &pieces));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    recording.write(&path);
    let events = replay(&path, &FakeProc::new(), config);
    let process = only(&events, Action::Exec).process.as_ref().unwrap();
    assert_eq!(process.executable.as_deref(), Some("/bin/x"));
    assert!(process.entity_id.is_some());
}

#[test]
fn a_truncated_list_of_arguments_is_reported_with_its_full_size() {
    let made = Made::new(100, 2_000_000_000);
    let pieces = Pieces { path: b"/bin/x", cwd: b"/", args: b"x\0y", env: b"", ..Pieces::default() };
    let mut fixed = made.exec_fixed(2_000_000_001, &pieces);
    fixed.args.full = 70_000;
    fixed.env.full = 5;
    fixed.cwd.full = Piece::UNKNOWN;
    let recording = Recording::new().with(&made.fork()).with(&with_pieces(&fixed, &pieces));
    let events = events_of(&recording, &FakeProc::new());
    let exec = only(&events, Action::Exec);
    let process = exec.process.as_ref().unwrap();
    assert_eq!(process.args.as_ref().unwrap().iter().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(exec.capture.truncated["process.args"], 70_000);
    assert_eq!((&process.env_vars, &process.working_directory), (&None, &None));
    assert_eq!(exec.capture.missing["process.env_vars"].0, "exited");
    assert_eq!(exec.capture.missing["process.working_directory"].0, "exited");
}
