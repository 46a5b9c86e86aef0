//! An exec whose record could not carry everything: what /proc completes, and what it must not.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
};

use collector::event::{Action, Event, Origin, Process};
use collector_common::{ExecRecord, Kind, PATH_MAX, PF_KTHREAD, Piece};

use crate::common::{
    fake_proc::{FakeProc, Shown},
    made::{Made, Pieces, with_pieces},
    recording::Recording,
    stream::{events_of, only},
};

const PID: u32 = 100;
const START_NS: u64 = 2_345_678_901;
const ARGS: [&str; 3] = ["app", "one", "two"];
const ENV: [&str; 2] = ["A=1", "B=2"];

/// A /proc with a process that has everything.
fn proc() -> FakeProc {
    let proc = FakeProc::new();
    let (comm, cwd, args, env) = ("app", "/srv/app", ARGS.as_slice(), ENV.as_slice());
    proc.add(&Shown { pid: PID, start_ns: START_NS, ppid: 1, flags: 0, comm, args, env, cwd });
    proc.add_exe(PID);
    proc
}

/// The exec of that process, with these pieces and what `change` makes of the fixed part.
fn exec(proc: &FakeProc, pieces: &Pieces<'_>, change: impl FnOnce(&mut ExecRecord)) -> Event {
    let made = Made::new(PID, START_NS);
    let mut fixed = made.exec_fixed(START_NS + 1, pieces);
    if let Ok(image) = fs::metadata(proc.of(PID).join("exe")) {
        fixed.exe.inode = image.ino();
    }
    change(&mut fixed);
    let recording = Recording::new().with(&Made::init().found()).with(&with_pieces(&fixed, pieces));
    only(&events_of(&recording, proc), Action::Exec).clone()
}

fn whole() -> Pieces<'static> {
    Pieces { path: b"/bin/app", cwd: b"/", args: b"app\0one\0two\0", env: b"A=1\0B=2\0", ..Pieces::default() }
}

/// The first bytes of the arguments of [`proc`], 12 of them.
fn cut() -> Pieces<'static> {
    Pieces { args: b"app\0on", ..whole() }
}

fn process(event: &Event) -> &Process {
    event.process.as_ref().unwrap()
}

#[track_caller]
fn check_args(event: &Event, args: &[&str], truncated: Option<u64>, origin: Option<Origin>) {
    let reported: Vec<&str> = process(event).args.as_ref().unwrap().iter().collect();
    assert_eq!(reported, args);
    assert_eq!(event.capture.truncated.get("process.args").copied(), truncated);
    assert_eq!(event.capture.origin.get("process.args").copied(), origin);
}

#[test]
fn truncated_arguments_are_completed_from_a_process_that_lives() {
    let event = exec(&proc(), &cut(), |fixed| fixed.args.full = 12);
    check_args(&event, &ARGS, None, Some(Origin::Proc));
}

#[test]
fn truncated_arguments_are_not_completed_from_a_title() {
    let proc = proc();
    fs::write(proc.of(PID).join("cmdline"), "worker: idle").unwrap();
    let event = exec(&proc, &cut(), |fixed| fixed.args.full = 12);
    check_args(&event, &["app", "on"], Some(12), None);
}

#[test]
fn truncated_arguments_are_not_completed_from_another_image() {
    let event = exec(&proc(), &cut(), |fixed| (fixed.args.full, fixed.exe.inode) = (12, 1));
    check_args(&event, &["app", "on"], Some(12), None);
}

#[test]
fn truncated_arguments_of_a_process_that_is_gone_stay_truncated() {
    let event = exec(&FakeProc::new(), &cut(), |fixed| fixed.args.full = 12);
    check_args(&event, &["app", "on"], Some(12), None);
}

/// Their pages were not in memory.
#[test]
fn arguments_that_could_not_be_read_are_completed_or_missing() {
    let none = Pieces { args: b"", env: b"", ..whole() };
    let unread = |fixed: &mut ExecRecord| (fixed.args.full, fixed.env.full) = (12, 8);
    let event = exec(&proc(), &none, unread);
    check_args(&event, &ARGS, None, Some(Origin::Proc));
    assert_eq!(process(&event).env_vars.as_ref().unwrap().len(), ENV.len());
    let event = exec(&FakeProc::new(), &none, unread);
    assert_eq!((process(&event).args.as_ref(), process(&event).env_vars.as_ref()), (None, None));
    for field in ["process.args", "process.env_vars"] {
        assert_eq!(event.capture.missing[field].0, "exited", "{field}");
    }
}

#[track_caller]
fn check_directory(event: &Event, reported: Result<&str, &str>) {
    let missing = event.capture.missing.get("process.working_directory").map(|reason| &*reason.0);
    assert_eq!((process(event).working_directory.as_deref(), missing), (reported.ok(), reported.err()));
}

fn unknown(fixed: &mut ExecRecord) {
    fixed.cwd.full = Piece::UNKNOWN;
}

#[test]
fn a_directory_whose_end_is_in_the_record_is_completed() {
    let event = exec(&proc(), &Pieces { cwd: b"/app", ..whole() }, unknown);
    check_directory(&event, Ok("/srv/app"));
    assert_eq!(event.capture.origin["process.working_directory"], Origin::Proc);
}

#[test]
fn a_directory_that_the_process_has_left_since_is_not_taken_for_the_one_of_the_exec() {
    let event = exec(&proc(), &Pieces { cwd: b"/deep/down", ..whole() }, unknown);
    check_directory(&event, Err("exited"));
}

#[test]
fn a_directory_longer_than_a_page_is_too_large() {
    let long = [b"/".as_slice(), &[b'd'; PATH_MAX - 200]].concat();
    let event = exec(&proc(), &Pieces { cwd: &long, ..whole() }, unknown);
    check_directory(&event, Err("too_large"));
}

#[test]
fn a_directory_of_a_process_that_is_gone_has_exited_with_it() {
    let event = exec(&FakeProc::new(), &Pieces { cwd: b"/app", ..whole() }, unknown);
    check_directory(&event, Err("exited"));
}

#[test]
fn an_image_whose_end_is_in_the_record_is_completed() {
    let proc = proc();
    let name = "image-of-100";
    let path = format!("/{name}");
    let event =
        exec(&proc, &Pieces { path: path.as_bytes(), ..whole() }, |fixed| fixed.path.full = Piece::UNKNOWN);
    let expected = proc.path().canonicalize().unwrap().join(name);
    assert_eq!(process(&event).executable.as_deref(), expected.to_str());
    assert_eq!(process(&event).name.as_deref(), Some(name));
}

/// Whether the exec of a child of a process with these flags is reported as that of a helper.
fn is_helper(parent: &Made, parent_flags: u32) -> Event {
    let mut made = Made::new(PID, START_NS).below(parent);
    made.task.parent_flags = parent_flags;
    let recording = Recording::new().with(&Made::init().found()).with(&parent.found());
    let recording = recording.with(&made.exec(START_NS + 1, &whole())).with(&made.exit(START_NS + 2, 0));
    only(&events_of(&recording, &FakeProc::new()), Action::Exit).clone()
}

fn kthreadd() -> Made {
    let mut kthreadd = Made::new(2, 30_000_000).named("kthreadd");
    (kthreadd.task.state.parent_tgid, kthreadd.task.state.parent_start_ns) = (0, 0);
    kthreadd.task.state.flags = PF_KTHREAD;
    kthreadd
}

#[test]
fn a_child_of_a_kernel_thread_is_a_helper_of_the_kernel() {
    let helper = is_helper(&kthreadd(), PF_KTHREAD);
    assert_eq!(process(&helper).usermode_helper, Some(true));
    assert_eq!(helper.capture.missing["process.parent.executable"].0, "kernel_task");
    let child = is_helper(&Made::new(50, 1_000_000_000), 0);
    assert_eq!(process(&child).usermode_helper, None);
}

#[test]
fn pid_1_and_kernel_threads_are_no_helpers() {
    let mut init = Made::init();
    init.task.parent_flags = PF_KTHREAD;
    let mut worker = Made::new(60, 40_000_000).named("kworker/0:1").below(&kthreadd());
    (worker.task.parent_flags, worker.task.state.flags) = (PF_KTHREAD, PF_KTHREAD);
    let recording = Recording::new().with(&init.found()).with(&kthreadd().found()).with(&worker.found());
    for event in events_of(&recording, &FakeProc::new()) {
        assert_eq!(event.process.and_then(|process| process.usermode_helper), None);
    }
}

/// The worker that started it may end before it execs once more, and then pid 1 is its parent.
#[test]
fn a_helper_stays_one_over_a_second_exec_below_another_parent() {
    let mut helper = Made::new(PID, START_NS).below(&kthreadd());
    helper.task.parent_flags = PF_KTHREAD;
    let orphan = Made::new(PID, START_NS).below(&Made::init());
    let recording = Recording::new().with(&Made::init().found()).with(&kthreadd().found());
    let recording =
        recording.with(&helper.task_record(Kind::Fork, START_NS)).with(&orphan.exec(START_NS + 1, &whole()));
    let events = events_of(&recording, &FakeProc::new());
    assert_eq!(process(only(&events, Action::Exec)).usermode_helper, Some(true));
}

/// A link may lead to itself; nothing of the record is lost for it.
#[test]
fn an_image_whose_link_cannot_be_followed_leaves_the_rest() {
    let proc = proc();
    fs::remove_file(proc.of(PID).join("exe")).unwrap();
    symlink("exe", proc.of(PID).join("exe")).unwrap();
    let event = exec(&proc, &cut(), |fixed| fixed.args.full = 12);
    check_args(&event, &["app", "on"], Some(12), None);
    assert_eq!(process(&event).executable.as_deref(), Some("/bin/app"));
}
