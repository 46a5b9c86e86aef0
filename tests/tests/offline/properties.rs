//! What holds for any bytes and any order: events survive being written and read, and garbage is counted and makes no panic.

use std::{fs, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use collector::event::{Action, Capture, Event, Strings};
use collector_common::{ConnectRecord, ConnectResultRecord, ExecRecord, ExitRecord, Kind, TaskRecord};
use proptest::{collection::vec, prelude::*};
use zerocopy::IntoBytes;

use crate::common::{
    fake_proc::{FakeProc, Shown},
    made::{Made, Pieces, header, with_pieces},
    recording::Recording,
    stream::{check_counters, events_of, events_of_bytes, only},
};

const START_NS: u64 = 2_345_678_901;

/// Bytes as a process may have them in a string: all but NUL.
fn string() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..40)
}

/// An absolute path of such bytes.
fn path() -> impl Strategy<Value = Vec<u8>> {
    string().prop_map(|name| [b"/".as_slice(), &name].concat())
}

fn nul_ended(strings: &[Vec<u8>]) -> Vec<u8> {
    strings.iter().flat_map(|string| [string.as_slice(), b"\0"].concat()).collect()
}

/// The exact bytes of a value, by what is shown of it and what `capture` keeps.
fn exact(capture: &Capture, place: &str, shown: &str) -> Vec<u8> {
    capture
        .bytes
        .get(place)
        .map_or_else(|| shown.as_bytes().to_vec(), |text| BASE64_STANDARD.decode(text).unwrap())
}

fn exact_list(capture: &Capture, place: &str, shown: &Strings) -> Vec<Vec<u8>> {
    let places = shown.iter().enumerate();
    places.map(|(index, shown)| exact(capture, &format!("{place}[{index}]"), shown)).collect()
}

/// Fails where an event is another one after it was written and read.
fn check_round_trip(event: &Event) {
    let written = serde_json::to_vec(event).unwrap();
    assert!(!written.contains(&b'\n'), "an event is one line");
    assert_eq!(&serde_json::from_slice::<Event>(&written).unwrap(), event);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_exec_of_any_bytes_is_reported_exactly_and_read_back(
        (path, cwd, comm) in (path(), path(), vec(any::<u8>(), 15)),
        args in vec(string(), 0..6),
        env in vec(string(), 0..6),
        time_ns in any::<u64>(),
        ctime_s in any::<i64>(),
        size in any::<u64>(),
    ) {
        let mut made = Made::new(100, START_NS);
        made.task.state.comm[..15].copy_from_slice(&comm);
        let (arg_bytes, env_bytes) = (nul_ended(&args), nul_ended(&env));
        let pieces = Pieces { path: &path, cwd: &cwd, script: b"", args: &arg_bytes, env: &env_bytes };
        let mut fixed = made.exec_fixed(time_ns, &pieces);
        (fixed.exe.ctime_s, fixed.exe.size) = (ctime_s, size);
        let events = events_of(&Recording::new().with(&with_pieces(&fixed, &pieces)), &FakeProc::new());
        events.iter().for_each(check_round_trip);
        let exec = only(&events, Action::Exec);
        let (process, capture) = (exec.process.as_ref().unwrap(), &exec.capture);
        let reported = |place: &str, shown: &Option<Arc<str>>| exact(capture, place, shown.as_ref().unwrap());
        prop_assert_eq!(reported("process.executable", &process.executable), path);
        prop_assert_eq!(reported("process.working_directory", &process.working_directory), cwd);
        let comm = comm.split(|&byte| byte == 0).next().unwrap();
        prop_assert_eq!(reported("process.comm", &process.comm), comm);
        prop_assert_eq!(exact_list(capture, "process.args", process.args.as_ref().unwrap()), args);
        prop_assert_eq!(exact_list(capture, "process.env_vars", process.env_vars.as_ref().unwrap()), env);
    }

    #[test]
    fn records_of_garbage_are_reported_or_counted(bodies in vec((1_u16..=6, vec(any::<u8>(), 512)), 0..12)) {
        let mut recording = Recording::new();
        for (kind, body) in &bodies {
            recording.add(&garbage(Kind::from_wire(*kind).unwrap(), body));
        }
        let events = events_of(&recording, &FakeProc::new());
        check_counters(&events);
        events.iter().for_each(check_round_trip);
    }

    #[test]
    fn a_recording_of_any_bytes_ends_in_order(
        entries in vec(vec(any::<u8>(), 0..300), 1..20),
        behind in vec(any::<u8>(), 0..50),
    ) {
        let mut recording = Recording::new().bytes();
        recording.truncate(recording.iter().position(|&byte| byte == b'\n').unwrap() + 1);
        for entry in &entries {
            recording.extend(u32::try_from(entry.len()).unwrap().to_le_bytes());
            recording.extend(entry);
        }
        recording.extend(behind);
        let events = events_of_bytes(&recording, &FakeProc::new());
        prop_assert_eq!(events.last().unwrap().action(), Action::AgentStop);
        let lost: u64 = events.iter().filter_map(|event| event.loss.as_ref()).map(|loss| loss.count).sum();
        prop_assert!(lost >= u64::try_from(entries.len()).unwrap(), "no random bytes are a record");
    }

    #[test]
    fn any_change_of_stat_and_status_leaves_the_event(
        file in prop::sample::select(vec!["stat", "status", "ns/pid"]),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let proc = FakeProc::new();
        proc.add(&Shown {
            pid: 100,
            start_ns: START_NS,
            ppid: 1,
            flags: 0,
            comm: "app",
            args: &["app"],
            env: &[],
            cwd: "/",
        });
        let path = proc.of(100).join(file);
        let mut content = fs::read(&path).unwrap_or_else(|_| b"pid:[4026531836]".to_vec());
        for (place, byte) in changes {
            let place = place.index(content.len());
            content[place] = byte;
        }
        content.truncate(cut.index(content.len() * 2).min(content.len()));
        fs::remove_file(&path).unwrap();
        fs::write(&path, content).unwrap();
        let recording = Recording::new().with(&Made::new(100, START_NS).connect(3_000_000_000, 7));
        let events = events_of(&recording, &proc);
        check_counters(&events);
        prop_assert_eq!(only(&events, Action::Connect).process.as_ref().unwrap().pid, Some(100));
    }
}

/// A record of this kind whose body is garbage and whose head and lengths are right.
fn garbage(kind: Kind, body: &[u8]) -> Vec<u8> {
    let len = match kind {
        Kind::Fork | Kind::Task => size_of::<TaskRecord>(),
        Kind::Exec => size_of::<ExecRecord>(),
        Kind::Exit => size_of::<ExitRecord>(),
        Kind::Connect => size_of::<ConnectRecord>(),
        Kind::ConnectResult => size_of::<ConnectResultRecord>(),
    };
    let mut record = header(kind, len, u64::from_le_bytes(*body.first_chunk().unwrap())).as_bytes().to_vec();
    let head = record.len();
    record.extend(&body[head..len]);
    if kind == Kind::Exec {
        // Pieces that carry nothing although there was something.
        let pieces = len - 40;
        record[pieces..].chunks_mut(8).for_each(|piece| piece[..4].fill(0));
    }
    record
}
