//! Recordings of real events, replayed without root: each replay writes the same lines.

use std::collections::BTreeSet;

use collector::{Builder, event::Action};

use crate::common::{
    fake_proc::FakeProc,
    fixture::{check, files, recordings, replay_fixture},
    golden,
    made::Made,
    recording::Recording,
    stream::{check_counters, everything, replay},
    workloads::WORKLOADS,
};

#[test]
fn an_exec_by_an_absolute_path_is_reported_with_its_exit() {
    check("exec-absolute-path");
}

#[test]
fn an_exec_by_a_relative_path_is_reported_by_its_absolute_path() {
    check("exec-relative-path");
}

#[test]
fn an_exec_of_a_script_has_the_interpreter_and_the_script() {
    check("exec-script");
}

#[test]
fn an_exec_of_a_file_in_memory_is_reported_as_such() {
    check("exec-memfd");
}

#[test]
fn an_exec_of_a_deleted_file_is_reported_under_its_former_name() {
    check("exec-deleted");
}

#[test]
fn hostile_arguments_and_variables_are_reported_exactly() {
    check("exec-hostile-argv");
}

#[test]
fn a_recorded_exec_by_a_thread_other_than_the_leader_belongs_to_the_process() {
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
fn tcp_connects_are_reported_with_both_ends_and_their_result() {
    check("connect-tcp");
}

#[test]
fn a_tcp_connect_that_its_owner_gave_up_has_failed_without_an_errno() {
    check("connect-tcp-given-up");
}

#[test]
fn udp_is_reported_at_connect_and_at_the_first_datagram_to_each_peer() {
    check("connect-udp");
}

#[test]
fn a_connection_of_the_kernel_itself_is_reported_as_such() {
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
fn a_replay_waits_for_the_consumer_of_its_events() {
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
            "of {tgid}, which is reported {:?}",
            exit.process.as_ref().unwrap().pid
        );
    }
}

#[test]
fn a_field_that_only_the_recorded_machine_could_fill_has_the_reason_replay() {
    for recording in files(".rec") {
        let mut collector = Builder::from(everything()).replay(&recording).unwrap();
        let events = std::iter::from_fn(|| collector.wait()).map(Result::unwrap);
        let reasons: BTreeSet<_> = events
            .flat_map(|event| event.capture.missing.into_values())
            .map(|reason| reason.to_string())
            .collect();
        assert!(reasons.contains("replay"), "{}: {reasons:?}", recording.display());
        // These two are facts of the record.
        let others =
            reasons.iter().filter(|reason| !["replay", "kernel_task", "unbound"].contains(&reason.as_str()));
        assert_eq!(others.count(), 0, "{}: {reasons:?}", recording.display());
    }
}
