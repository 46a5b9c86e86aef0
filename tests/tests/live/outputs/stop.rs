//! The end of a run, whatever an output does.

use std::{process::Stdio, thread, time::Duration};

use collector_tests::{live::live_test, wait::until};
use rustix::process::Signal;

use super::agent::{Count, undelivered};
use crate::overload::stopped::storm_of;

#[live_test(alone)]
fn sigterm_ends_a_run_whose_only_reader_is_stalled_and_what_it_did_not_get_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = collector_tests::agent::command(&["run", "--event", "fork,exec,exit", "-v"])
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(directory.path().join("stderr")).unwrap())
        .spawn()
        .unwrap();
    let stderr = || super::agent::text(&directory.path().join("stderr"));
    until("the start line", || stderr().contains("collector: watching").then_some(()));
    storm_of(2_000);
    let begin = std::time::Instant::now();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    // A second one while it drains is not an error.
    thread::sleep(Duration::from_millis(700));
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let status = until("the end of collector", || child.try_wait().unwrap());
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    assert_eq!(status.code(), Some(1));
    let said = stderr();
    let (why, Count { written, .. }) = undelivered(&said, "stdout");
    assert_eq!(why, "nobody reads it");
    let summary = said.lines().find(|line| line.contains("events seen: ")).expect(&said);
    assert!(
        summary.contains(&format!(" {written} written")),
        "every event that was written was offered: {said}"
    );
}
