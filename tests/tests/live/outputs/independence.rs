//! One output is stalled, one closed, one on a full disk, one healthy.

use std::{env, io::Read as _, process::Stdio, time::Duration};

use collector_tests::{live::live_test, live::scaled, wait::until, workload::mounts::Mounted};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use super::agent::{Count, Outputs, check_without_a_hole, counts, events, sequences, undelivered};
use crate::overload::stopped::storm_for;

/// How long the storm lasts: `COLLECTOR_STALL_SECONDS`, which is 60 when somebody looks closely.
fn storm_time() -> Duration {
    let seconds = env::var("COLLECTOR_STALL_SECONDS").map_or(10, |seconds| seconds.parse().unwrap());
    Duration::from_secs(scaled(seconds).into())
}

#[live_test(alone)]
fn a_stalled_a_closed_and_a_full_output_cost_a_healthy_one_nothing() {
    let (directory, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = Mounted::small(place.path(), 1 << 20);
    let small = format!("file:{}", disk.directory.join("full.jsonl").display());
    let fifo = directory.path().join("stalled");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    // Open for reading, and never read.
    let _stalled = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    // Room for all that the storm makes: what is checked is that the others do not take it.
    let healthy = "file:{}/stream.jsonl,buffer=1GiB";
    let outputs = [healthy, "file:{}/stalled,buffer=1MiB", &format!("{small},buffer=2MiB"), "stdout"];
    let mut agent = Outputs::start(directory, &outputs, Stdio::piped());
    // Reads the first line, and closes the pipe.
    let mut stdout = agent.child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 1]).unwrap();
    drop(stdout);
    agent.mark("before the storm", "stream.jsonl");
    storm_for(storm_time());
    agent.mark("after the storm", "stream.jsonl");
    until("the end of stdout", || agent.text("stderr").contains("output stdout has ended").then_some(()));
    let (status, took) = agent.stop();
    let said = agent.text("stderr");
    eprintln!("stopped in {took:?}: {said}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(status.code(), Some(1), "what was not delivered is a failure: {said}");

    let (healthy, last) = check_without_a_hole(&agent.path("stream.jsonl"));
    let name = |name: &str| format!("file:{}", agent.path(name).display());
    let counts = counts(&[last]);
    eprintln!("{counts:?}");
    let all = healthy - 1;
    for (name, Count { written, delivered, dropped, pending }) in &counts {
        assert_eq!(*written, delivered + dropped + pending, "{name}");
        assert_eq!(*written, all, "{name} was offered every event before agent-stop");
    }
    assert_eq!(counts[&name("stream.jsonl")].dropped, 0);
    for (name, said_why) in [(name("stalled"), "nobody reads it"), (small, "No space left on device")] {
        assert!(counts[&name].dropped > 0, "{name} lost nothing");
        let (why, count) = undelivered(&said, &name);
        assert!(why.contains(said_why), "{why}");
        assert_eq!(count.written, all + 1, "agent-stop was offered as well");
    }
    assert!(counts["stdout"].dropped > 0 && counts["stdout"].pending == 0);
    // What there was room for is whole, and a prefix: every line until the disk was full.
    let full = events(&disk.directory.join("full.jsonl"));
    let expected: Vec<u64> = (1..=u64::try_from(full.len()).unwrap()).collect();
    assert_eq!(sequences(&full), expected);
}

/// A reader that comes back gets the loss where the events are missing, and then the rest.
#[live_test(alone)]
fn an_output_that_lost_events_says_so_where_they_are_missing() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("slow");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let mut reader = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let slow = "file:{}/slow,buffer=1MiB";
    let mut agent = Outputs::start(directory, &["file:{}/stream.jsonl,buffer=1GiB", slow], Stdio::null());
    storm_for(Duration::from_secs(2));
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        while !text.ends_with(b"}\n")
            || !text.windows(12).rev().take(8192).any(|word| word == b"\"agent-stop\"")
        {
            let read = reader.read(&mut chunk).unwrap();
            text.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8(text).unwrap()
    });
    agent.mark("after the storm", "stream.jsonl");
    let (status, took) = agent.stop();
    assert!(status.success(), "{status} after {took:?}: {}", agent.text("stderr"));
    let slow: Vec<Value> =
        reading.join().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let name = format!("file:{}", agent.path("slow").display());
    let mut next = 1;
    let mut lost = 0;
    for event in &slow {
        if let Some(sequence) = event["event"]["sequence"].as_u64() {
            assert_eq!(sequence, next, "a hole without a loss: {event}");
            next += 1;
            continue;
        }
        let loss = &event["loss"];
        assert_eq!((&event["event"]["action"], &loss["output"]), (&json!("loss"), &json!(name)));
        assert_eq!(event["event"].get("id"), None, "it has no place in the stream");
        assert_eq!(loss["first_sequence"], next, "{event}");
        let [last, count] = ["last_sequence", "count"].map(|number| loss[number].as_u64().unwrap());
        assert_eq!(count, last + 1 - next, "{event}");
        lost += count;
        next = last + 1;
    }
    assert!(lost > 0, "nothing was lost");
    assert_eq!(counts(&slow)[&name].dropped, lost);
}
