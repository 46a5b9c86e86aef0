//! Who waits for whom, on real files of processes that are long gone or run all the while.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use collector_common::FileIdentity;

use super::{Algorithms, Answer, Candidate, Digests, Limits, Options, Sighting, State, Ticket};
use crate::{
    event::Timestamp,
    known::Reason,
    procfs::{Namespace, Proc, StartTicks},
    text::Text,
    wake_event::WakeEvent,
};

/// Nobody has this id.
const GONE: u32 = u32::MAX;

struct World {
    digests: Digests,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let proc = Arc::new(Proc::live().unwrap());
        let digests = Digests::new(Options::default(), &proc, &WakeEvent::new().unwrap());
        Self { digests, directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.directory.path().canonicalize().unwrap().join("image");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Asks for the file at `path` as one that `tgid` runs.
    fn ask(&mut self, path: &PathBuf, tgid: u32, lives: bool) -> Answer {
        let candidate = candidate(tgid, path);
        self.digests.of(&sighting(path), Instant::now(), candidate, lives)
    }

    fn ticket(&mut self, path: &PathBuf, tgid: u32) -> Ticket {
        match self.ask(path, tgid, true) {
            Answer::Asked { ticket, .. } => ticket,
            Answer::Known(state) => panic!("known: {state:?}"),
        }
    }

    /// Waits for the end of a computation; answers with the number of those that ended.
    fn wait_for(&mut self, ticket: &Ticket) -> usize {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut ended = 0;
        while matches!(ticket.state(), State::Pending) {
            assert!(Instant::now() < deadline);
            ended += self.digests.collect(Instant::now()).len();
            thread::sleep(Duration::from_millis(1));
        }
        ended
    }
}

/// A file as it is, seen long after it was changed.
fn sighting(path: &PathBuf) -> Sighting {
    let stat = fs::metadata(path).unwrap();
    let file = FileIdentity {
        device: (libc::major(stat.dev()) << 20) | libc::minor(stat.dev()),
        inode: stat.ino(),
        size: stat.size(),
        ctime_s: stat.ctime(),
        ctime_ns: stat.ctime_nsec().try_into().unwrap(),
        links: 1,
        ..FileIdentity::default()
    };
    Sighting::new(file, 1, Timestamp((file.ctime_s + 100) * 1_000_000_000))
}

fn candidate(tgid: u32, path: &Path) -> Candidate {
    let proc = Proc::live().unwrap();
    let process = proc.process(tgid, None).ok();
    let mnt = proc.process(std::process::id(), None).unwrap().namespace(Namespace::Mnt).unwrap();
    Candidate {
        tgid,
        start: process.map_or(StartTicks(0), |process| process.start()),
        parent: (GONE, StartTicks(0)),
        mnt,
        path: Some(Text::new(path.as_os_str().as_encoded_bytes())),
    }
}

fn is_ready(ticket: &Ticket) -> bool {
    matches!(ticket.state(), State::Ready(_))
}

/// A copy of sleep that runs.
fn sleeper(path: &PathBuf) -> Child {
    assert!(Command::new("cp").arg("/bin/sleep").arg(path).status().unwrap().success());
    Command::new(path).arg("60").spawn().unwrap()
}

#[test]
fn all_who_ask_wait_for_one_computation_and_later_ones_for_none() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let tickets: Vec<_> = (0..5).map(|_| world.ticket(&path, GONE)).collect();
    assert!(tickets.iter().all(|ticket| ticket.computation() == tickets[0].computation()));
    assert_eq!(world.wait_for(&tickets[0]), 1);
    assert!(tickets.iter().all(is_ready));
    assert!(matches!(world.ask(&path, GONE, true), Answer::Known(State::Ready(_))));
}

#[test]
fn a_file_that_was_changed_is_another_one() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let first = world.ticket(&path, GONE);
    world.wait_for(&first);
    thread::sleep(Duration::from_millis(20));
    world.file(b"abd");
    let second = world.ticket(&path, GONE);
    world.wait_for(&second);
    let (State::Ready(first), State::Ready(second)) = (first.state(), second.state()) else { panic!() };
    assert_ne!(first.hashes, second.hashes);
}

#[test]
fn where_the_process_that_was_asked_about_is_gone_one_that_joined_is_tried() {
    let mut world = World::new();
    let path = world.directory.path().canonicalize().unwrap().join("image");
    let mut child = sleeper(&path);
    let seen = sighting(&path);
    // Nobody finds it by its path any more.
    fs::remove_file(&path).unwrap();
    let mut ask = |tgid| match world.digests.of(&seen, Instant::now(), candidate(tgid, &path), true) {
        Answer::Asked { ticket, .. } => ticket,
        Answer::Known(state) => panic!("known: {state:?}"),
    };
    let (first, joined) = (ask(GONE), ask(child.id()));
    world.wait_for(&joined);
    assert!(is_ready(&first) && is_ready(&joined));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_failure_of_one_process_holds_for_that_one_and_for_those_that_ended_and_not_for_others() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let seen = sighting(&path);
    fs::remove_file(&path).unwrap();
    let ask = |world: &mut World, tgid, lives| {
        world.digests.of(&seen, Instant::now(), candidate(tgid, &path), lives)
    };
    let Answer::Asked { ticket, first: true } = ask(&mut world, GONE, true) else { panic!() };
    world.wait_for(&ticket);
    assert!(matches!(ticket.state(), State::Failed(Reason::Exited)));
    assert!(matches!(ask(&mut world, GONE, true), Answer::Known(State::Failed(Reason::Exited))));
    assert!(matches!(ask(&mut world, GONE - 1, false), Answer::Known(State::Failed(Reason::Exited))));
    assert!(matches!(ask(&mut world, GONE - 1, true), Answer::Asked { first: true, .. }));
}

#[test]
fn a_file_over_the_limit_and_a_digest_that_nobody_wants_are_known_at_once() {
    let mut world = World::new();
    let path = world.file(b"abc");
    world.digests.limits = Limits { max_size: 2, ..Limits::default() };
    assert!(matches!(world.ask(&path, GONE, true), Answer::Known(State::Failed(Reason::TooLarge))));
    let none = Algorithms { md5: false, sha1: false, sha256: false };
    world.digests.limits = Limits { algorithms: none, ..Limits::default() };
    assert!(matches!(world.ask(&path, GONE, true), Answer::Known(State::Failed(Reason::Disabled))));
    assert!(world.digests.pool.is_none());
}

#[test]
fn other_algorithms_are_computed_for_a_file_that_is_known() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let md5 = Algorithms { md5: true, sha1: false, sha256: false };
    for (algorithms, has_sha1) in [(md5, false), (Algorithms::ALL, true)] {
        world.digests.limits = Limits { algorithms, ..Limits::default() };
        let ticket = world.ticket(&path, GONE);
        world.wait_for(&ticket);
        let State::Ready(digest) = ticket.state() else { panic!("{:?}", ticket.state()) };
        assert_eq!(digest.hashes.sha1.is_some(), has_sha1);
    }
}

#[test]
fn a_file_that_never_answers_is_given_up() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let ticket = world.ticket(&path, GONE);
    let later = Instant::now() + super::PATIENCE + Duration::from_secs(1);
    // Nobody takes the answer any more.
    world.digests.pool = None;
    assert_eq!(world.digests.collect(later), [ticket.computation()]);
    assert!(matches!(ticket.state(), State::Failed(Reason::Io("ETIMEDOUT"))));
}
