//! A full disk, a stop, and a restart: each event is in the file or counted.

use std::{fs, process::Stdio};

use collector_tests::{live::live_test, wait::until, workload::mounts::Mounted};

use super::agent::{Outputs, events, undelivered};
use crate::overload::stopped::storm_of;

#[live_test(alone)]
fn after_a_full_disk_and_a_restart_no_event_is_unaccounted_for() {
    let (directory, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = Mounted::small(place.path(), 1 << 20);
    let full = disk.directory.join("full.jsonl");
    let output = format!("file:{}", full.display());
    let healthy = "file:{}/stream.jsonl,buffer=1GiB";
    let mut agent = Outputs::start(directory, &[healthy, &output], Stdio::null());
    storm_of(2_000);
    until("a full disk", || agent.text("stderr").contains("No space left").then_some(()));
    agent.mark("the last", "stream.jsonl");
    let (status, _) = agent.stop();
    assert_eq!(status.code(), Some(1), "{}", agent.text("stderr"));

    let [all, delivered] =
        [agent.path("stream.jsonl"), full.clone()].map(|path| u64::try_from(events(&path).len()).unwrap());
    let said = agent.text("stderr");
    let (why, count) = undelivered(&said, &output);
    assert!(why.contains("No space left"), "{why}");
    assert_eq!((count.written, count.delivered), (all, delivered));

    // A crash can leave half a line, which a stop in order does not.
    disk.grow(1 << 30);
    let mut broken = fs::read(&full).unwrap();
    broken.extend_from_slice(b"{\"@timestamp\":\"20");
    fs::write(&full, &broken).unwrap();
    let begun = usize::try_from(delivered).unwrap() + 1;
    let mut again =
        Outputs::start(tempfile::tempdir().unwrap(), &["file:{}/stream.jsonl", &output], Stdio::null());
    assert!(again.stop().0.success());
    let text = fs::read_to_string(&full).unwrap();
    let second: Vec<&str> = text.lines().skip(begun).collect();
    assert!(second[0].contains("\"agent-start\""), "the half line swallowed it: {}", second[0]);
    assert!(second.last().unwrap().contains("\"agent-stop\""));
}
