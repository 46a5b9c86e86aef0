//! Files that are replayed: those that are not recordings are refused, and damaged ones are replayed as far as they go.

use std::{fs, path::Path};

use collector::{
    Collector,
    event::{Action, Event, LossReason},
    source::recording::format::{self, MissingRecords},
};
use collector_common::{Counters, Kind, TaskRecord};

use crate::common::{
    fake_proc::FakeProc,
    made::{Made, Pieces},
    recording::{self, Recording},
    stream::{actions, check_counters, events_of, events_of_bytes, only},
};
use crate::records::two_lives;

/// Why a file was rejected as a recording.
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
