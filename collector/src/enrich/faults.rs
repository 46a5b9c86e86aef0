//! Each read of /proc for an event fails in turn, in each way that it may: the field is absent with its reason, all other
//! fields are unchanged, and the next event is whole.
//!
//! A run without a fault records which reads there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    sync::Arc,
    time::{Duration, Instant},
};

use collector_common::{
    ConnectRecord, ExecRecord, ExitRecord, FAMILY_IPV4, Kind, PROTOCOL_TCP, Piece, RecordHeader, TaskRecord,
    TaskState, WIRE_VERSION,
};
use serde_json::Value;
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::{EnrichOptions, Enricher};
use crate::{
    config::Config,
    decode::decode,
    event::Action,
    fake_proc::StatLine,
    file_calls::faulty::{Call, Fault, watched},
    machine::Machine,
    options,
    process::KernelTimeNs,
    procfs::Proc,
    source::OwnedRecord,
    track::ProcSnapshot,
};

/// The process, its parent and that one's parent; all began in this tick.
const LINE: [u32; 3] = [100, 50, 1];
const TICK: u64 = 5;
const START_NS: u64 = TICK * 10_000_000;
/// No bounded read takes this long.
const TOO_LONG: Duration = Duration::from_secs(10);

/// What happens to a process that no record reported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The scan finds it.
    Found,
    /// The scan does not find it, but /proc shows it.
    Missed,
    Fork,
    /// The record carries none of the pieces.
    Exec,
    Exit,
    Connect,
    /// A snapshot of /proc corrects it.
    Reconcile,
}

/// A fake /proc of a line of processes, in a container: its names are in its own files.
fn fake_proc(line: &[u32]) -> tempfile::TempDir {
    let proc = tempfile::tempdir().unwrap();
    let above = line.iter().skip(1).chain([&0]);
    for (tgid, parent) in line.iter().zip(above) {
        let of = proc.path().join(tgid.to_string());
        fs::create_dir_all(of.join("ns")).unwrap();
        fs::create_dir_all(of.join("root/etc")).unwrap();
        let write = |name: &str, text: &str| fs::write(of.join(name), text).unwrap();
        write("root/etc/passwd", "alice:x:1000:1000\n");
        write("root/etc/group", "staff:x:1000:\n");
        write(
            "stat",
            &StatLine { tgid: *tgid, comm: "app", state: 'S', parent: *parent, start_ticks: TICK }.text(),
        );
        write("status", &status(*tgid));
        write("cmdline", "app\0-v\0");
        write("environ", "HOME=/home\0LANG=C\0");
        write("cgroup", &format!("1:name=systemd:/docker/{}\n", "a1".repeat(32)));
        write("uid_map", "         0     100000      65536\n");
        write("gid_map", "         0     100000      65536\n");
        // A process that was forked runs what its parent does.
        let image = proc.path().join(if *tgid == 1 { "init" } else { "app" });
        fs::write(&image, "#!").unwrap();
        symlink(image, of.join("exe")).unwrap();
        symlink(proc.path(), of.join("cwd")).unwrap();
        for (inode, name) in ["mnt", "pid", "net", "user", "uts", "ipc", "cgroup"].into_iter().enumerate() {
            symlink(format!("{name}:[{}]", 4_026_531_900 + inode), of.join("ns").join(name)).unwrap();
        }
    }
    proc
}

fn status(tgid: u32) -> String {
    let ids = "101000\t101000\t101000\t101000";
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let line = |line: &str| match line.split('\t').next().unwrap_or_default() {
        "Name:" => "Name:\tapp".to_owned(),
        name @ ("Tgid:" | "Pid:" | "NStgid:" | "NSpid:") => format!("{name}\t{tgid}"),
        name @ ("Uid:" | "Gid:") => format!("{name}\t{ids}"),
        _ => line.to_owned(),
    };
    own.lines().map(line).fold(String::new(), |text, line| text + &line + "\n")
}

fn header(kind: Kind, len: usize) -> RecordHeader {
    let (kind, len) = (kind.to_wire(), u32::try_from(len).unwrap());
    RecordHeader { version: WIRE_VERSION, kind, len, time_ns: 10 * START_NS, cpu: 0, fate: 0, cgroups: 0 }
}

fn state(tgid: u32, parent: u32) -> TaskState {
    let mut state = TaskState { tgid, tid: tgid, parent_tgid: parent, ..TaskState::default() };
    (state.start_ns, state.parent_start_ns) = (START_NS, START_NS);
    (state.credentials.uid, state.credentials.euid, state.credentials.fsuid) = (101_000, 101_000, 101_000);
    (state.credentials.gid, state.credentials.egid, state.credentials.fsgid) = (101_000, 101_000, 101_000);
    (state.session, state.pgrp, state.net_namespace, state.cgroup_id) = (7, 7, 4_026_531_902, 5);
    state.comm[..3].copy_from_slice(b"app");
    state
}

/// The bytes of its record; `None` if there is none.
fn record(what: What) -> Option<Vec<u8>> {
    let state = state(LINE[0], LINE[1]);
    let task_record = |kind| {
        let mut record = TaskRecord::new_zeroed();
        (record.header, record.task.state) = (header(kind, size_of::<TaskRecord>()), state);
        record.task.vpid = state.tgid;
        (record.task.namespaces.mnt, record.task.namespaces.user) = (4_026_531_900, 4_026_531_903);
        record.task.namespaces.pid = 4_026_531_901;
        (record.forker_tgid, record.forker_start_ns) = (LINE[1], START_NS);
        record
    };
    Some(match what {
        What::Missed => return None,
        What::Found => task_record(Kind::Task).as_bytes().to_vec(),
        What::Fork => task_record(Kind::Fork).as_bytes().to_vec(),
        What::Exec => {
            let mut record = ExecRecord::new_zeroed();
            record.header = header(Kind::Exec, size_of::<ExecRecord>());
            record.task = task_record(Kind::Exec).task;
            (record.path, record.cwd) =
                (Piece { len: 0, full: Piece::UNKNOWN }, Piece { len: 0, full: Piece::UNKNOWN });
            (record.args, record.env) = (Piece { len: 0, full: 7 }, Piece { len: 0, full: 18 });
            record.as_bytes().to_vec()
        }
        What::Exit => {
            let mut record = ExitRecord::new_zeroed();
            (record.header, record.task) = (header(Kind::Exit, size_of::<ExitRecord>()), state);
            record.as_bytes().to_vec()
        }
        What::Connect | What::Reconcile => {
            let mut record = ConnectRecord::new_zeroed();
            (record.header, record.task) = (header(Kind::Connect, size_of::<ConnectRecord>()), state);
            (record.endpoints.family, record.endpoints.protocol) = (FAMILY_IPV4, PROTOCOL_TCP);
            record.as_bytes().to_vec()
        }
    })
}

/// An agent with nothing in its table.
fn enricher(proc: &std::path::Path) -> Enricher {
    let proc = Arc::new(Proc::at(proc).unwrap());
    let mut machine = Machine::this(&proc, true);
    (machine.mnt_namespace, machine.user_namespace, machine.pid_namespace) = (1, 2, 4_026_531_901);
    (machine.started_ns, machine.wall_offset_ns) = (100 * START_NS, 0);
    let actions = Action::ALL.iter().copied().collect();
    Enricher::new(machine, proc, None, EnrichOptions { actions, ..options::enrich(&Config::default()) })
}

fn take(enricher: &mut Enricher, bytes: &[u8]) -> Vec<Value> {
    let record = OwnedRecord::copy(bytes);
    let draft = enricher.enrich(&decode(record.bytes()).unwrap());
    draft.iter().map(|draft| serde_json::to_value(&draft.event).unwrap()).collect()
}

/// A run with one fault: the events, those of a connect after it, and the reads.
fn run(
    what: What,
    proc: &std::path::Path,
    fault: Option<(usize, Fault)>,
) -> (Vec<Value>, Vec<Value>, Vec<Call>) {
    let mut enricher = enricher(proc);
    let mut image = record(What::Exec).unwrap();
    if what == What::Reconcile {
        take(&mut enricher, &record(What::Connect).unwrap());
    }
    let inode = fs::metadata(proc.join("app"));
    let (mut fixed, _) = <ExecRecord as zerocopy::FromBytes>::read_from_prefix(&image).unwrap();
    fixed.exe.inode = std::os::unix::fs::MetadataExt::ino(&inode.unwrap());
    image = fixed.as_bytes().to_vec();
    let (events, calls) = watched(fault, || match what {
        What::Exec => take(&mut enricher, &image),
        What::Missed => {
            let drafts = enricher.missed_by_scan();
            drafts.iter().map(|draft| serde_json::to_value(&draft.event).unwrap()).collect()
        }
        What::Reconcile => {
            let snapshot = ProcSnapshot::take(&enricher.proc(), KernelTimeNs(10 * START_NS));
            if let Some(snapshot) = snapshot {
                enricher.reconcile(&snapshot);
            }
            Vec::new()
        }
        what => take(&mut enricher, &record(what).unwrap()),
    });
    let next = take(&mut enricher, &record(What::Connect).unwrap());
    (events, next, calls)
}

/// The values of an event by their paths, without `capture`.
fn leaves(event: &Value) -> BTreeMap<String, Value> {
    fn walk(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, into));
            }
            Value::Array(members) => {
                for (place, value) in members.iter().enumerate() {
                    walk(&format!("{path}[{place}]"), value, into);
                }
            }
            value => {
                into.insert(path.trim_start_matches('.').to_owned(), value.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", event, &mut found);
    found.retain(|path, _| !path.starts_with("capture.") && path != "@timestamp");
    found
}

/// The field whose absence stands in `capture.missing` for the absence of this one, by the schema.
fn stands_for(path: &str) -> String {
    if path == "container.runtime" {
        return "container.id".to_owned();
    }
    for (of, noted) in [(".name", ".executable"), (".args_count", ".args"), (".command_line", ".args")] {
        if let Some(process) =
            path.strip_suffix(of).filter(|process| !process.contains("user") && !process.contains("group"))
        {
            return format!("{process}{noted}");
        }
    }
    path.to_owned()
}

/// Fails if a value is another one, or absent without a reason.
fn check(whole: &Value, faulty: &Value, on: &str) {
    let none = serde_json::Map::new();
    let missing = faulty["capture"]["missing"].as_object().unwrap_or(&none);
    let (known, there) = (leaves(whole), leaves(faulty));
    for (path, value) in &known {
        let noted = stands_for(path);
        let is_noted = |field: &String| {
            noted
                .strip_prefix(field.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        // A name is that of the process's own passwd file, if that can be read. A process may have neither arguments nor an
        // environment.
        let is_name = path.ends_with("user.name") || path.ends_with("group.name");
        let may_lack = is_name || (on.contains("Empty") && is_empty_list(faulty, &noted));
        match there.get(path) {
            Some(there) if !may_lack => assert_eq!(there, value, "{path} on {on}"),
            None if !may_lack => {
                assert!(
                    missing.keys().any(is_noted),
                    "{path} is absent without a reason on {on}: {missing:?}"
                );
            }
            found => assert!(found.is_none() || !is_name || found == Some(value), "{path} on {on}"),
        }
    }
    let more: Vec<_> = there.keys().filter(|path| !known.contains_key(*path)).collect();
    assert!(more.is_empty(), "{more:?} on {on}");
}

/// Whether this is a list without members, or one of them.
fn is_empty_list(event: &Value, member: &str) -> bool {
    let list = member.split_once('[').map_or(member, |(list, _)| list).replace('.', "/");
    event.pointer(&format!("/{list}")).and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// Checks each event against the one of the same process. A process that no record reports is unknown if its start cannot be
/// read.
fn check_events(what: What, whole: &[Value], faulty: &[Value], on: &str) {
    let of = |event: &Value| event["process"]["pid"].clone();
    for whole in whole {
        match faulty.iter().find(|faulty| of(faulty) == of(whole)) {
            Some(faulty) => check(whole, faulty, on),
            None => assert_eq!(what, What::Missed, "{} is not reported on {on}", of(whole)),
        }
    }
    assert!(faulty.len() <= whole.len(), "{on}");
}

/// Repeats the run once for each call and each of its faults.
#[track_caller]
fn check_all(what: What) {
    // A whole line would be missed in the same way.
    let line = if what == What::Missed { vec![LINE[0], LINE[2]] } else { LINE.to_vec() };
    let directory = fake_proc(&line);
    let (whole, next, calls) = run(what, directory.path(), None);
    assert!(!calls.is_empty());
    let mut problems = BTreeSet::new();
    for (number, call) in calls.iter().enumerate() {
        for fault in call.faults() {
            let on = format!("{fault:?} of {number} {} {:?}", call.name, call.path);
            let began = Instant::now();
            let done = std::panic::catch_unwind(|| {
                let (events, after, _) = run(what, directory.path(), Some((number, *fault)));
                check_events(what, &whole, &events, &on);
                check_events(What::Connect, &next, &after, &format!("the connect after {on}"));
                assert!(began.elapsed() < TOO_LONG, "{on} takes {:?}", began.elapsed());
            });
            if let Err(why) = done {
                problems.insert(why.downcast_ref::<String>().cloned().unwrap_or_default());
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn each_read_may_fail_for_a_process_that_the_scan_finds() {
    check_all(What::Found);
}

#[test]
fn each_read_may_fail_for_a_process_that_the_scan_misses() {
    check_all(What::Missed);
}

#[test]
fn each_read_may_fail_for_a_fork() {
    check_all(What::Fork);
}

#[test]
fn each_read_may_fail_for_an_exec() {
    check_all(What::Exec);
}

#[test]
fn each_read_may_fail_for_an_exit() {
    check_all(What::Exit);
}

#[test]
fn each_read_may_fail_for_a_connect() {
    check_all(What::Connect);
}

#[test]
fn each_read_may_fail_for_a_snapshot_of_proc() {
    check_all(What::Reconcile);
}
