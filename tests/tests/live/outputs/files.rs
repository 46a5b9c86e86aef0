//! Files that are rotated while the agent writes them.

use std::{fs, process::Stdio};

use collector_tests::live::live_test;
use rustix::process::Signal;

use super::agent::{Outputs, events, sequences};

#[live_test]
fn a_file_that_is_renamed_goes_on_under_its_path_without_a_signal() {
    let mut agent = Outputs::start(tempfile::tempdir().unwrap(), &["file:{}/stream.jsonl"], Stdio::null());
    agent.mark("before the rotation", "stream.jsonl");
    // As logrotate does it: rename, then create.
    fs::rename(agent.path("stream.jsonl"), agent.path("stream.jsonl.1")).unwrap();
    fs::write(agent.path("stream.jsonl"), "").unwrap();
    agent.mark("after the rotation", "stream.jsonl");
    // And without create.
    fs::rename(agent.path("stream.jsonl"), agent.path("stream.jsonl.2")).unwrap();
    agent.mark("after the second", "stream.jsonl");
    assert!(agent.stop().0.success(), "{}", agent.text("stderr"));
    let all = ["stream.jsonl.1", "stream.jsonl.2", "stream.jsonl"].map(|name| events(&agent.path(name)));
    let all = all.concat();
    let expected: Vec<u64> = (1..=u64::try_from(all.len()).unwrap()).collect();
    assert_eq!(sequences(&all), expected, "every event is in one of the files, in order");
}

#[live_test]
fn sigusr1_opens_files_again_and_the_run_goes_on() {
    opens_files_again(Signal::USR1);
}

/// A run that has a terminal ends, as its terminal is gone.
#[live_test]
fn sighup_without_a_configuration_file_opens_files_again_and_the_run_goes_on() {
    opens_files_again(Signal::HUP);
}

#[track_caller]
fn opens_files_again(signal: Signal) {
    let mut agent = Outputs::start(tempfile::tempdir().unwrap(), &["file:{}/stream.jsonl"], Stdio::null());
    agent.mark("before", "stream.jsonl");
    fs::rename(agent.path("stream.jsonl"), agent.path("old.jsonl")).unwrap();
    agent.signal(signal);
    // It is there although nothing has happened since that the agent reports.
    collector_tests::wait::until("the file", || agent.path("stream.jsonl").exists().then_some(()));
    agent.mark("after", "stream.jsonl");
    assert!(agent.stop().0.success(), "{}", agent.text("stderr"));
    assert!(events(&agent.path("old.jsonl")).len() > 1);
    assert_eq!(events(&agent.path("stream.jsonl")).last().unwrap()["event"]["action"], "agent-stop");
}
