//! Recordings of real happenings, replayed without root: what they become, each time the same.

use std::{fs, path::Path};

use collector::{
    Collector,
    event::{Action, Event, LossReason},
    source::recording::format::{self, MissingRecords},
};
use collector_common::{Counters, Kind, Piece, TaskRecord};

use crate::common::{
    fake_proc::FakeProc,
    fixture::{check, files, recordings, replay_fixture},
    golden,
    made::{Made, Pieces, with_pieces},
    recording::{self, Recording},
    stream::{actions, check_counters, events_of, events_of_bytes, everything, only, replay},
    workloads::WORKLOADS,
};

#[test]
fn an_exec_by_an_absolute_path_is_told_with_its_end() {
    check("exec-absolute-path");
}

#[test]
fn an_exec_by_a_relative_path_is_told_by_its_absolute_one() {
    check("exec-relative-path");
}

#[test]
fn an_exec_of_a_script_tells_the_interpreter_and_the_script() {
    check("exec-script");
}

#[test]
fn an_exec_of_a_file_in_memory_is_told_as_such() {
    check("exec-memfd");
}

#[test]
fn an_exec_of_a_deleted_file_is_told_under_the_name_it_had() {
    check("exec-deleted");
}

#[test]
fn hostile_arguments_and_variables_are_told_exactly() {
    check("exec-hostile-argv");
}

#[test]
fn an_exec_by_a_thread_that_does_not_lead_is_of_its_process() {
    check("exec-by-thread");
}

#[test]
fn a_second_exec_of_a_process_is_another_image_of_the_same_one() {
    check("exec-twice");
}

#[test]
fn a_process_that_was_killed_has_a_signal_and_no_code() {
    check("exit-by-signal");
}

#[test]
fn a_fork_without_an_exec_runs_the_image_of_its_parent() {
    check("fork-without-exec");
}

#[test]
fn a_process_that_outlives_its_parent_has_another_one_from_then_on() {
    check("parent-exits-first");
}

#[test]
fn tcp_connects_are_told_with_both_ends_and_how_they_went() {
    check("connect-tcp");
}

#[test]
fn a_tcp_connect_that_its_owner_gave_up_has_failed_without_an_errno() {
    check("connect-tcp-given-up");
}

#[test]
fn udp_is_told_at_connect_and_at_the_first_datagram_to_each_peer() {
    check("connect-udp");
}

#[test]
fn a_connection_of_the_kernel_itself_is_told_as_such() {
    check("connect-by-the-kernel");
}

#[test]
fn every_fixture_has_a_workload_and_a_golden_file() {
    for (what, _) in WORKLOADS {
        assert!(!recordings(what).is_empty(), "{what} was never recorded");
    }
    let known: Vec<_> = WORKLOADS.iter().flat_map(|(what, _)| recordings(what)).collect();
    assert_eq!(known.len(), files(".rec").len());
    if !golden::is_update() {
        assert_eq!(known.len(), files(".golden.jsonl").len());
    }
}

#[test]
fn a_recording_is_replayed_to_the_same_stream_each_time() {
    for recording in files(".rec") {
        let [first, second] = [(); 2].map(|()| golden::lines(&replay_fixture(&recording)));
        assert_eq!(golden::differences(&first, &second), [""; 0], "{}", recording.display());
    }
}

#[test]
fn the_counters_of_every_fixture_add_up() {
    for recording in files(".rec") {
        check_counters(&replay_fixture(&recording));
    }
}

/// Two children of pid 1 that exec and exit, one after the other.
fn two_lives() -> Recording {
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

/// Why a file is no recording.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    fs::write(&path, bytes).unwrap();
    let refused = Collector::builder().proc(directory.path()).replay(&path).unwrap_err();
    refused.to_string().replace(directory.path().to_str().unwrap(), "")
}

#[test]
fn a_file_that_is_not_a_recording_is_refused_by_name() {
    assert_eq!(refusal(b""), "/x is not a recording of collector");
    assert_eq!(refusal(b"\x7fELF\x02\x01\x01\0\n"), "/x is not a recording of collector");
    assert_eq!(refusal(&vec![0; 1 << 17]), "/x is not a recording of collector");
}

#[test]
fn a_stream_of_events_is_refused_with_what_it_is_and_what_reads_it() {
    let refused = refusal(b"{\"@timestamp\":\"2026-11-23T08:05:15Z\",\"schema\":\"collector/1.0\"}\n");
    assert!(refused.starts_with("/x is a stream of events (JSON Lines)"), "{refused}");
    assert!(refused.contains("--record FILE") && refused.contains("jq"), "{refused}");
}

#[test]
fn a_recording_of_another_version_is_refused_with_both_versions() {
    let text =
        String::from_utf8(Recording::new().bytes().split(|&byte| byte == b'\n').next().unwrap().to_vec())
            .unwrap();
    let refused = refusal(text.replace(recording::FORMAT, "collector-recording/2").as_bytes());
    assert!(refused.starts_with("/x is of format collector-recording/2"), "{refused}");
    let refused = refusal(text.replace("\"wire\":1", "\"wire\":9").as_bytes());
    assert!(refused.contains("with records of version 9"), "{refused}");
}

#[test]
fn a_recording_that_is_not_there_is_named() {
    let refused = Collector::builder().proc("/").replay(Path::new("/nowhere/x.rec")).unwrap_err();
    assert_eq!(refused.to_string(), "cannot use recording /nowhere/x.rec");
}

#[test]
fn a_recording_is_replayed_where_no_other_proc_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    two_lives().write(&path);
    let replayed = Collector::builder().replay(&path).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(replayed, Ok(()));
}

/// The mark that the end of the stream of a damaged recording carries, without the file's name.
#[track_caller]
fn damage(events: &[Event]) -> String {
    let agent = only(events, Action::AgentStop).agent.as_ref().unwrap();
    let damage = agent.degraded["recording"].split_once(" is damaged at ").unwrap().1;
    damage.to_owned()
}

#[test]
fn a_whole_recording_ends_without_a_mark() {
    let events = events_of(&two_lives(), &FakeProc::new());
    assert_eq!(only(&events, Action::AgentStop).agent, None);
}

#[test]
fn a_recording_that_was_cut_is_reported_as_far_as_it_goes_and_marked() {
    let bytes = two_lives().bytes();
    let head = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let first = head + 4 + size_of::<TaskRecord>();
    let second = first + 4 + size_of::<TaskRecord>();
    let none = ["agent-start", "agent-stop"].as_slice();
    let one = ["agent-start", "snapshot", "agent-stop"].as_slice();
    let two = ["agent-start", "snapshot", "fork", "agent-stop"].as_slice();
    let (inside, behind) = ("ends in the middle of an entry", "ends without its counters");
    for (end, expected, at, records, cause) in [
        (head, none, head, 0, behind),
        (head + 2, none, head, 0, inside),
        (first, one, first, 1, behind),
        (first + 2, one, first, 1, inside),
        (first + 100, one, first, 1, inside),
        (second, two, second, 2, behind),
        (second + 5, two, second, 2, inside),
    ] {
        let events = events_of_bytes(&bytes[..end], &FakeProc::new());
        assert_eq!(actions(&events), expected, "cut at {end}");
        let damage = damage(&events);
        let place = format!("byte {at}, after {records} records: the file {cause}");
        assert!(damage.starts_with(&place), "cut at {end}: {damage}");
    }
}

#[test]
fn the_counters_of_a_recording_that_was_cut_add_up() {
    let bytes = two_lives().bytes();
    check_counters(&events_of_bytes(&bytes[..bytes.len() - size_of::<Counters>() - 10], &FakeProc::new()));
}

#[test]
fn a_length_that_no_entry_has_ends_the_recording() {
    let whole = Recording::new().bytes();
    let record = "an entry says that it has 2147483647 bytes, more than any record";
    let counters = "an entry has 2147483647 bytes of counters, more than this version of collector knows";
    // Instead of the counters, and instead of their length.
    for (cut, cause) in [(8, record), (4, counters)] {
        let mut bytes = whole.clone();
        bytes.truncate(bytes.len() - size_of::<Counters>() - cut);
        bytes.extend(0x7fff_ffff_u32.to_le_bytes());
        let events = events_of_bytes(&bytes, &FakeProc::new());
        assert_eq!(actions(&events), ["agent-start", "agent-stop"]);
        let damage = damage(&events);
        assert!(damage.ends_with(cause), "{damage}");
    }
}

#[test]
fn records_that_are_missing_in_a_recording_are_lost_and_the_rest_is_reported() {
    let mut bytes = Recording::new().bytes();
    bytes.truncate(bytes.len() - size_of::<Counters>() - 8);
    let made = Made::new(100, 2_000_000_000);
    let mut missing = MissingRecords::default();
    missing.count(&made.exec(2_000_000_001, &Pieces::default()));
    missing.count(&made.exec(2_000_000_001, &Pieces::default()));
    let at = bytes.len() + 4 + size_of::<TaskRecord>();
    format::append_record(&mut bytes, &made.fork());
    format::append_missing(&mut bytes, &missing);
    format::append_record(&mut bytes, &made.exit(2_000_000_002, 0));
    let mut counters = Counters::default();
    for (kind, seen) in [(Kind::Fork, 1), (Kind::Exec, 2), (Kind::Exit, 1)] {
        counters.seen[kind.index()] = seen;
    }
    format::append_counters(&mut bytes, &counters);
    let events = events_of_bytes(&bytes, &FakeProc::new());
    let loss = only(&events, Action::Loss).loss.clone().unwrap();
    assert_eq!((loss.reason, loss.count, loss.action), (LossReason::RingFull, 2, Some(Action::Exec)));
    assert_eq!(actions(&events), ["agent-start", "fork", "exit", "loss", "agent-stop"]);
    check_counters(&events);
    assert!(damage(&events).starts_with(&format!("byte {at}, after 1 records: 2 records are missing")));
}

#[test]
fn a_broken_record_is_a_loss_and_the_next_ones_are_told() {
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
fn a_record_of_an_unknown_kind_is_a_loss_of_no_known_action() {
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
fn the_exit_of_a_process_that_was_never_seen_tells_what_it_knows_and_what_not() {
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
fn a_process_beyond_a_full_table_is_told_whole() {
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
fn a_cut_list_of_arguments_is_told_with_its_full_size() {
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

/// The ends of many processes, a millisecond apart.
fn many_ends(count: u32) -> Recording {
    let mut recording = Recording::new();
    for tgid in 2..count + 2 {
        let start_ns = 2_000_000_000 + u64::from(tgid) * 1_000_000;
        recording.add(&Made::new(tgid, start_ns).exit(start_ns + 1, 0));
    }
    recording
}

#[test]
fn a_replay_waits_for_whoever_takes_its_events() {
    let mut config = everything();
    config.queue.events = 100;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    many_ends(3000).write(&path);
    let events = replay(&path, &FakeProc::new(), config);
    assert_eq!(events.iter().filter(|event| event.action() == Action::Exit).count(), 3000);
}

#[test]
fn a_long_replay_keeps_the_clock_of_its_recording() {
    let mut config = everything();
    config.queue.events = 1_000_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    let recording = many_ends(100_000);
    recording.write(&path);
    let events = replay(&path, &FakeProc::new(), config);
    let exits = events.iter().filter(|event| event.action() == Action::Exit);
    for (exit, tgid) in exits.zip(2..) {
        let expected = recording.machine.wall_offset_ns + 2_000_000_001 + i64::from(tgid) * 1_000_000;
        assert_eq!(
            exit.timestamp.0,
            expected,
            "of {tgid}, which is told {:?}",
            exit.process.as_ref().unwrap().pid
        );
    }
}
