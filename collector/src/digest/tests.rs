//! Requests that share computations, on real files of processes that are gone or that run all the time.

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

use super::{
    Answer, DigestLimits, DigestOptions, Digests, FileLocator, ObservedFile, PendingDigest, Request, State,
    digests::PATIENCE,
};
use crate::{
    checksum::Algorithms,
    event::Timestamp,
    fact::Reason,
    procfs::{Namespace, Proc, StartTicks},
    text::Text,
    wake_event::WakeEvent,
};

/// No process has this id.
const GONE: u32 = u32::MAX;

struct World {
    digests: Digests,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let proc = Arc::new(Proc::live().unwrap());
        let digests = Digests::new(DigestOptions::default(), &proc, &WakeEvent::new().unwrap());
        Self { digests, directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.directory.path().canonicalize().unwrap().join("image");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Requests the digests of the file at `path`, which `tgid` runs.
    fn ask(&mut self, path: &PathBuf, tgid: u32, lives: bool) -> Answer {
        self.digests.of(request(observed(path), tgid, path, lives))
    }

    fn pending(&mut self, path: &PathBuf, tgid: u32) -> PendingDigest {
        match self.ask(path, tgid, true) {
            Answer::Pending { digest, .. } => digest,
            Answer::Known(state) => panic!("known: {state:?}"),
        }
    }

    /// Waits for the end of a computation; returns how many ended.
    fn wait_for(&mut self, pending: &PendingDigest) -> usize {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut ended = 0;
        while matches!(pending.state(), State::Pending) {
            assert!(Instant::now() < deadline);
            self.digests.set_now(Instant::now());
            ended += self.digests.collect().len();
            thread::sleep(Duration::from_millis(1));
        }
        ended
    }
}

/// A file as it is, observed long after its change.
fn observed(path: &PathBuf) -> ObservedFile {
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
    ObservedFile::new(file, 1, Timestamp((file.ctime_s + 100) * 1_000_000_000))
}

fn request(file: ObservedFile, tgid: u32, path: &Path, lives: bool) -> Request {
    let proc = Proc::live().unwrap();
    let process = proc.process(tgid, None).ok();
    let locator = FileLocator {
        tgid,
        start: process.map_or(StartTicks(0), |process| process.start()),
        parent: Some((GONE, StartTicks(0))),
        mnt: proc.process(std::process::id(), None).unwrap().namespace(Namespace::Mnt).ok(),
        path: Some(Text::new(path.as_os_str().as_encoded_bytes())),
    };
    Request { file, locator, lives }
}

fn is_ready(pending: &PendingDigest) -> bool {
    matches!(pending.state(), State::Ready(_))
}

/// A copy of sleep that runs.
fn sleeper(path: &PathBuf) -> Child {
    assert!(Command::new("cp").arg("/bin/sleep").arg(path).status().unwrap().success());
    Command::new(path).arg("60").spawn().unwrap()
}

#[test]
fn requests_for_one_file_share_a_computation_and_later_ones_find_it_cached() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let pendings: Vec<_> = (0..5).map(|_| world.pending(&path, GONE)).collect();
    assert!(pendings.iter().all(|pending| pending.computation() == pendings[0].computation()));
    assert_eq!(world.wait_for(&pendings[0]), 1);
    assert!(pendings.iter().all(is_ready));
    assert!(matches!(world.ask(&path, GONE, true), Answer::Known(State::Ready(_))));
}

#[test]
fn a_changed_file_is_another_file() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let first = world.pending(&path, GONE);
    world.wait_for(&first);
    thread::sleep(Duration::from_millis(20));
    world.file(b"abd");
    let second = world.pending(&path, GONE);
    world.wait_for(&second);
    let (State::Ready(first), State::Ready(second)) = (first.state(), second.state()) else { panic!() };
    assert_ne!(first.hashes, second.hashes);
}

#[test]
fn if_the_first_process_is_gone_one_that_joined_is_tried() {
    let mut world = World::new();
    let path = world.directory.path().canonicalize().unwrap().join("image");
    let mut child = sleeper(&path);
    let seen = observed(&path);
    // Its path leads nowhere now.
    fs::remove_file(&path).unwrap();
    let mut ask = |tgid| match world.digests.of(request(seen, tgid, &path, true)) {
        Answer::Pending { digest, .. } => digest,
        Answer::Known(state) => panic!("known: {state:?}"),
    };
    let (first, joined) = (ask(GONE), ask(child.id()));
    world.wait_for(&joined);
    assert!(is_ready(&first) && is_ready(&joined));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_failure_of_one_process_holds_for_it_and_for_ended_processes_only() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let seen = observed(&path);
    fs::remove_file(&path).unwrap();
    let ask = |world: &mut World, tgid, lives| world.digests.of(request(seen, tgid, &path, lives));
    let Answer::Pending { digest, first: true } = ask(&mut world, GONE, true) else { panic!() };
    world.wait_for(&digest);
    assert!(matches!(digest.state(), State::Failed(Reason::Exited)));
    assert!(matches!(ask(&mut world, GONE, true), Answer::Known(State::Failed(Reason::Exited))));
    assert!(matches!(ask(&mut world, GONE - 1, false), Answer::Known(State::Failed(Reason::Exited))));
    assert!(matches!(ask(&mut world, GONE - 1, true), Answer::Pending { first: true, .. }));
}

#[test]
fn a_file_over_the_limit_and_a_disabled_digest_need_no_worker() {
    let mut world = World::new();
    let path = world.file(b"abc");
    world.digests.limits = DigestLimits { max_size: 2, ..DigestLimits::default() };
    assert!(matches!(world.ask(&path, GONE, true), Answer::Known(State::Failed(Reason::TooLarge))));
    world.digests.limits = DigestLimits { algorithms: Algorithms::NONE, ..DigestLimits::default() };
    assert!(matches!(world.ask(&path, GONE, true), Answer::Known(State::Failed(Reason::Disabled))));
    assert!(world.digests.pool.is_none());
}

#[test]
fn other_algorithms_are_computed_for_a_cached_file() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let md5 = Algorithms { md5: true, sha1: false, sha256: false };
    for (algorithms, has_sha1) in [(md5, false), (Algorithms::ALL, true)] {
        world.digests.limits = DigestLimits { algorithms, ..DigestLimits::default() };
        let pending = world.pending(&path, GONE);
        world.wait_for(&pending);
        let State::Ready(digest) = pending.state() else { panic!("{:?}", pending.state()) };
        assert_eq!(digest.hashes.sha1.is_some(), has_sha1);
    }
}

#[test]
fn a_file_that_never_answers_is_given_up() {
    let mut world = World::new();
    let path = world.file(b"abc");
    let pending = world.pending(&path, GONE);
    let later = Instant::now() + PATIENCE + Duration::from_secs(1);
    // Nothing takes the worker's answer.
    world.digests.pool = None;
    world.digests.set_now(later);
    assert_eq!(world.digests.collect(), [pending.computation()]);
    assert!(matches!(pending.state(), State::Failed(Reason::Io("ETIMEDOUT"))));
}
