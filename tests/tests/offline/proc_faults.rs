//! A process that vanishes, or a /proc that does not answer as it should, at each read: the field that would have come
//! from there is absent with its reason, and the rest of the record is there.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use collector::event::{Action, Event};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use serde_json::{Value, json};

use crate::common::{
    fake_proc::{FakeProc, Shown, StatLine},
    golden::{differences, lines},
    made::{INIT, Made},
    recording::Recording,
    stream::{check_counters, events_of, only},
};

const PID: u32 = 100;
const START_NS: u64 = 2_345_678_901;

/// The fields of a process that ran before the agent that come from its /proc.
const FROM_PROC: [&str; 5] =
    ["process.executable", "process.exe", "process.args", "process.env_vars", "process.working_directory"];

/// What may be wrong with a file of /proc.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It is not there: the process is gone.
    Absent,
    /// It has no bytes.
    Empty,
    /// Reading it gives `EISDIR`, and reading it as a link `EINVAL`.
    Directory,
    /// It never ends.
    Endless,
    /// It leads to itself: `ELOOP`.
    Loop,
    /// It belongs to another process.
    Foreign,
}

fn damage(path: &Path, fault: Fault) {
    fs::remove_file(path).unwrap();
    match fault {
        Fault::Absent => {}
        Fault::Empty => fs::write(path, "").unwrap(),
        Fault::Directory => fs::create_dir(path).unwrap(),
        Fault::Endless => symlink("/dev/zero", path).unwrap(),
        Fault::Loop => symlink(path, path).unwrap(),
        Fault::Foreign => {
            let other =
                StatLine { pid: PID, comm: "x", state: 'S', ppid: INIT, flags: 0, start_ns: 90_000_000 };
            fs::write(path, other.to_string()).unwrap();
        }
    }
}

/// A /proc with a process that has everything, and pid 1.
fn proc() -> FakeProc {
    let proc = FakeProc::new();
    proc.add(&Shown {
        pid: PID,
        start_ns: START_NS,
        ppid: INIT,
        flags: 0,
        comm: "app",
        args: &["/srv/app/bin/app", "--name", "a b", ""],
        env: &["HOME=/srv/app", "EMPTY=", "no equals sign"],
        cwd: "/srv/app",
    });
    proc.add_exe(PID);
    proc
}

fn recording() -> Recording {
    Recording::new().with(&Made::init().found()).with(&Made::new(PID, START_NS).named("app").found())
}

/// The snapshot of the process with this /proc.
#[track_caller]
fn snapshot(proc: &FakeProc) -> Value {
    let events = events_of(&recording(), proc);
    check_counters(&events);
    let of_process = |event: &&Event| event.process.as_ref().is_some_and(|process| process.pid == Some(PID));
    let snapshots: Vec<Event> = events.iter().filter(of_process).cloned().collect();
    assert_eq!(snapshots.len(), 1);
    lines(&snapshots).remove(0)
}

/// Takes a field, and what follows from it, out of a record, and notes why.
fn without(mut event: Value, field: &str, reason: &str) -> Value {
    let follow: &[&str] = match field {
        "process.executable" => &["executable", "name"],
        "process.args" => &["args", "args_count", "command_line"],
        field => &[field.strip_prefix("process.").unwrap()],
    };
    for name in follow {
        event["process"].as_object_mut().unwrap().remove(*name);
    }
    let capture = event["capture"].as_object_mut().unwrap();
    if let Some(origin) = capture.get_mut("origin").and_then(Value::as_object_mut) {
        origin.remove(field);
        if origin.is_empty() {
            capture.remove("origin");
        }
    }
    capture["missing"][field] = json!(reason);
    if field == "process.exe" {
        // Which file it was is not known, so its digest is not either.
        capture["missing"]["process.hash"] = json!(reason);
    }
    event
}

/// Damages one file of the process: these fields are missing for this reason, and all else is as it was.
#[track_caller]
fn check(file: &str, fault: Fault, fields: &[&str], reason: &str) {
    let proc = proc();
    let expected = fields.iter().fold(snapshot(&proc), |event, field| without(event, field, reason));
    damage(&proc.of(PID).join(file), fault);
    assert_eq!(differences(&[expected], &[snapshot(&proc)]), [""; 0], "{file}: {fault:?}");
}

#[test]
fn a_process_that_ran_before_the_agent_is_reported_from_proc() {
    let proc = proc();
    let event = snapshot(&proc);
    let process = &event["process"];
    assert_eq!(process["args"], json!(["/srv/app/bin/app", "--name", "a b", ""]));
    assert_eq!(process["args_count"], 4);
    assert_eq!(process["command_line"], "/srv/app/bin/app --name 'a b' ''");
    assert_eq!(process["env_vars"], json!(["HOME=/srv/app", "EMPTY=", "no equals sign"]));
    assert_eq!(process["working_directory"], "/srv/app");
    assert_eq!(process["name"], format!("image-of-{PID}"));
    assert_eq!(process["comm"], "app");
    for field in FROM_PROC {
        assert_eq!(event["capture"]["origin"][field], "proc");
    }
}

#[test]
fn a_process_that_is_gone_has_no_field_that_comes_from_proc() {
    check("stat", Fault::Absent, &FROM_PROC, "exited");
}

#[test]
fn proc_of_another_life_of_the_pid_is_not_read() {
    check("stat", Fault::Foreign, &FROM_PROC, "exited");
}

#[test]
fn a_malformed_stat_is_distinguished_from_an_end() {
    check("stat", Fault::Empty, &FROM_PROC, "unsupported");
    check("stat", Fault::Endless, &FROM_PROC, "unsupported");
    check("stat", Fault::Directory, &FROM_PROC, "io:EISDIR");
    check("stat", Fault::Loop, &FROM_PROC, "io:ELOOP");
}

#[test]
fn arguments_that_cannot_be_read_leave_the_rest() {
    check("cmdline", Fault::Absent, &["process.args"], "exited");
    check("cmdline", Fault::Directory, &["process.args"], "io:EISDIR");
    check("cmdline", Fault::Endless, &["process.args"], "too_large");
    check("cmdline", Fault::Loop, &["process.args"], "io:ELOOP");
}

#[test]
fn an_environment_that_cannot_be_read_leaves_the_rest() {
    check("environ", Fault::Absent, &["process.env_vars"], "exited");
    check("environ", Fault::Directory, &["process.env_vars"], "io:EISDIR");
    check("environ", Fault::Endless, &["process.env_vars"], "too_large");
    check("environ", Fault::Loop, &["process.env_vars"], "io:ELOOP");
}

#[test]
fn an_image_that_cannot_be_found_leaves_the_rest() {
    check("exe", Fault::Absent, &["process.executable", "process.exe"], "exited");
    check("exe", Fault::Loop, &["process.executable", "process.exe"], "io:ELOOP");
}

#[test]
fn a_working_directory_that_cannot_be_read_leaves_the_rest() {
    check("cwd", Fault::Absent, &["process.working_directory"], "exited");
    check("cwd", Fault::Empty, &["process.working_directory"], "io:EINVAL");
    check("cwd", Fault::Directory, &["process.working_directory"], "io:EINVAL");
}

#[test]
fn what_a_record_has_is_not_read_from_proc() {
    for file in ["status", "comm", "maps", "cgroup", "ns/mnt", "ns/pid", "ns/net", "ns/user"] {
        for fault in [Fault::Absent, Fault::Empty, Fault::Directory, Fault::Endless, Fault::Loop] {
            check(file, fault, &[], "");
        }
    }
}

#[test]
fn a_process_without_arguments_and_variables_has_empty_lists() {
    let proc = proc();
    damage(&proc.of(PID).join("cmdline"), Fault::Empty);
    damage(&proc.of(PID).join("environ"), Fault::Empty);
    let event = snapshot(&proc);
    assert_eq!((&event["process"]["args"], &event["process"]["args_count"]), (&json!([]), &json!(0)));
    assert_eq!((&event["process"]["env_vars"], &event["process"]["command_line"]), (&json!([]), &json!("")));
}

#[test]
fn a_process_that_vanishes_between_two_reads_keeps_what_was_read_before() {
    let order = ["exe", "cmdline", "environ", "cwd"];
    let fields = [&FROM_PROC[0..2], &["process.args"], &["process.env_vars"], &["process.working_directory"]];
    for from in 0..order.len() {
        let proc = proc();
        let gone = fields[from..].iter().copied().flatten();
        let expected = gone.fold(snapshot(&proc), |event, field| without(event, field, "exited"));
        for file in &order[from..] {
            damage(&proc.of(PID).join(file), Fault::Absent);
        }
        assert_eq!(differences(&[expected], &[snapshot(&proc)]), [""; 0], "from {} on", order[from]);
    }
}

/// Takes from this thread, and from those that it starts, what lets root read every file.
fn may_read_what_its_mode_allows_alone() {
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    set_capabilities(None, sets).unwrap();
}

#[test]
fn files_that_may_not_be_read_are_denied() {
    may_read_what_its_mode_allows_alone();
    for (file, field) in [("cmdline", "process.args"), ("environ", "process.env_vars")] {
        let proc = proc();
        let expected = without(snapshot(&proc), field, "denied");
        fs::set_permissions(proc.of(PID).join(file), fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(differences(&[expected], &[snapshot(&proc)]), [""; 0], "{file}");
    }
}

/// The connect of a process without any record, with its /proc as it is and after a fault of one file.
fn connect_of_a_stranger(file: &str, fault: Fault) -> [Event; 2] {
    let proc = proc();
    let recording = Recording::new().with(&Made::new(PID, START_NS).named("app").connect(3_000_000_000, 7));
    let connect = |proc: &FakeProc| only(&events_of(&recording, proc), Action::Connect).clone();
    let whole = connect(&proc);
    damage(&proc.of(PID).join(file), fault);
    [whole, connect(&proc)]
}

#[test]
fn a_process_without_any_record_is_found_in_proc() {
    let [connect, _] = connect_of_a_stranger("maps", Fault::Absent);
    let process = connect.process.unwrap();
    assert_eq!(process.args_count, Some(4));
    assert_eq!(process.namespaces.unwrap().net, Some(4_026_531_840));
    assert!(process.entity_id.is_some());
    assert_eq!(process.parent.unwrap().pid, Some(INIT));
}

#[test]
fn an_unknown_process_that_is_not_in_proc_is_reported_with_what_the_record_has() {
    for file in ["stat", "status"] {
        for fault in [Fault::Absent, Fault::Empty, Fault::Directory, Fault::Endless, Fault::Loop] {
            let [_, connect] = connect_of_a_stranger(file, fault);
            let process = connect.process.as_ref().unwrap();
            assert_eq!((process.pid, process.comm.as_deref()), (Some(PID), Some("app")));
            assert_eq!(connect.destination.unwrap().port, Some(80));
            for field in ["process.executable", "process.args", "process.working_directory"] {
                assert!(
                    connect.capture.missing.contains_key(field),
                    "{file} {fault:?}: no reason for {field}"
                );
            }
        }
    }
}

#[test]
fn an_unknown_process_whose_namespaces_cannot_be_read_has_the_same_id() {
    for file in ["ns/mnt", "ns/pid", "ns/net"] {
        let [whole, connect] = connect_of_a_stranger(file, Fault::Absent).map(|event| event.process.unwrap());
        assert_eq!(connect.entity_id, whole.entity_id, "{file}");
        assert_eq!(connect.args, whole.args, "{file}");
    }
}
