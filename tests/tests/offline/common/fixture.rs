//! The fixtures: recordings of a real kernel, with the golden file of each. Their names say what, on which kernel and
//! when: `exec-script-6.18-2026-11-23.rec`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use collector::event::Event;
use collector_common::PF_KTHREAD;

use super::{
    fake_proc::{FakeProc, Shown},
    golden,
    lives::unknown_parents,
    recording::Recording,
    stream::{everything, replay},
};

/// Where they are.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The files below the directory with this extension.
pub(crate) fn files(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.to_str().is_some_and(|path| path.ends_with(extension))).collect();
    files.sort();
    files
}

/// The recordings of one workload: one for each kernel that it was recorded on.
pub(crate) fn recordings(what: &str) -> Vec<PathBuf> {
    let is_of = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.strip_prefix(what)
            .is_some_and(|rest| rest.starts_with('-') && rest[1..].starts_with(char::is_numeric))
    };
    files(".rec").into_iter().filter(is_of).collect()
}

/// Replays a fixture beside a /proc that has the processes above it.
pub(crate) fn replay_fixture(recording: &Path) -> Vec<Event> {
    let proc = FakeProc::new();
    for (pid, start_ns) in unknown_parents(&Recording::read(recording)) {
        let recorder = Shown {
            pid,
            start_ns,
            ppid: 0,
            flags: 0,
            comm: "recorder",
            args: &["/opt/recorder", "--of fixtures"],
            env: &["SECRET=1"],
            cwd: "/srv",
        };
        // The parent of all tasks of the kernel.
        let kthreadd =
            Shown { flags: PF_KTHREAD, comm: "kthreadd", args: &[], env: &[], cwd: "/", ..recorder };
        proc.add(if pid == 2 { &kthreadd } else { &recorder });
    }
    replay(recording, &proc, everything())
}

/// Replays every recording of a workload and compares it with its golden file.
#[track_caller]
pub(crate) fn check(what: &str) {
    let recordings = recordings(what);
    assert!(!recordings.is_empty(), "no recording of {what} in {}", directory().display());
    for recording in recordings {
        golden::check(&replay_fixture(&recording), &recording.with_extension("golden.jsonl"));
    }
}
