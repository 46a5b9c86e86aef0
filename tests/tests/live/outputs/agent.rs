//! `collector run` with several outputs.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    mem,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use collector_tests::{agent::command, wait::until, workload::spawn::Plan};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// A run in a directory of its own.
pub(super) struct Outputs {
    pub(super) child: Child,
    pub(super) directory: TempDir,
}

/// What one output did, as `agent-stop` and stderr have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) written: u64,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
    pub(super) pending: u64,
}

impl Outputs {
    /// `collector run --event fork,exec,exit` with these outputs; `{}` in them is the directory. A stream for the test itself
    /// is `{}/stream.jsonl`; the run has begun when it is there.
    pub(super) fn start(directory: TempDir, outputs: &[&str], stdout: Stdio) -> Self {
        let path = directory.path().display().to_string();
        let mut run = command(&["run", "--event", "fork,exec,exit"]);
        for output in outputs {
            run.args(["--output", &output.replace("{}", &path)]);
        }
        let stderr = File::create(directory.path().join("stderr")).unwrap();
        let child = run.stdout(stdout).stderr(stderr).spawn().unwrap();
        let outputs = Self { child, directory };
        until("agent-start", || outputs.text("stream.jsonl").contains("\"agent-start\"").then_some(()));
        outputs
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The text of a file, as far as it is there.
    pub(super) fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Runs `/bin/true` with this argument, and waits until its exec and exit are in the file, behind what is there now.
    pub(super) fn mark(&self, mark: &str, file: &str) {
        let path = self.path(file);
        let mut lines = File::open(&path).ok().map(BufReader::new);
        if let Some(lines) = &mut lines {
            lines.seek(SeekFrom::End(0)).unwrap();
        }
        let mut plan = Plan::of("/bin/true");
        plan.args.push(mark.into());
        let child = plan.spawn();
        let exit = format!("\"pid\":{},", child.pid);
        child.reap();
        let (mut line, mut has_mark) = (Vec::new(), false);
        until(&format!("{mark} in {file}"), || {
            // A file that has been renamed comes back with its first event.
            if lines.is_none() {
                lines = File::open(&path).ok().map(BufReader::new);
            }
            let lines = lines.as_mut()?;
            loop {
                lines.read_until(b'\n', &mut line).unwrap();
                if !line.ends_with(b"\n") {
                    return None;
                }
                let text = String::from_utf8_lossy(&line);
                has_mark |= text.contains(mark);
                if has_mark && text.contains("\"action\":\"exit\"") && text.contains(&exit) {
                    return Some(());
                }
                line.clear();
            }
        });
    }

    /// SIGTERM; answers how it ended and how long that took.
    pub(super) fn stop(&mut self) -> (ExitStatus, Duration) {
        self.signal(Signal::TERM);
        let begin = Instant::now();
        let status = until("the end of collector", || self.child.try_wait().unwrap());
        assert_eq!(status.signal(), None, "killed: {}", self.text("stderr"));
        (status, begin.elapsed())
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        // Already gone after `stop`; otherwise a test has failed, and the agent must not stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The events of a file: whole lines only.
#[track_caller]
pub(super) fn events(path: &Path) -> Vec<Value> {
    let text = text(path);
    assert!(text.is_empty() || text.ends_with('\n'), "{} ends in half a line", path.display());
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(read).collect()
}

/// Reads a file that may be larger than memory: every line is JSON, and every event has the next sequence, from 1 on. Answers
/// with the number of events and the last one.
#[track_caller]
pub(super) fn check_without_a_hole(path: &Path) -> (u64, Value) {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(path).unwrap());
    let (mut line, mut last, mut count) = (Vec::new(), Vec::new(), 0);
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        let placed: Placed = serde_json::from_slice(&line).unwrap();
        count += 1;
        assert_eq!(placed.event.sequence, count, "{}", String::from_utf8_lossy(&line));
        mem::swap(&mut line, &mut last);
        line.clear();
    }
    (count, serde_json::from_slice(&last).unwrap())
}

/// Of an event, only its place in the stream: gigabytes of events are read by it.
#[derive(Deserialize)]
struct Placed {
    event: Place,
}

#[derive(Deserialize)]
struct Place {
    sequence: u64,
}

/// The sequences of events that are part of the stream.
pub(super) fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().filter_map(|event| event["event"]["sequence"].as_u64()).collect()
}

/// What stderr says at the end of an output that did not deliver everything, and why.
#[track_caller]
pub(super) fn undelivered(stderr: &str, output: &str) -> (String, Count) {
    let begin = format!("collector: output {output}: ");
    let line =
        stderr.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_else(|| panic!("{stderr}"));
    let (why, numbers) = line.rsplit_once("; of ").unwrap();
    let words = numbers.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<u64> = words.map(|word| word.parse().unwrap()).collect();
    let [written, delivered, dropped, pending] = numbers[..] else { panic!("{line}") };
    assert_eq!(written, delivered + dropped + pending, "{line}");
    (why.to_owned(), Count { written, delivered, dropped, pending })
}

/// The counts of `agent-stop`, by the name of the output.
#[track_caller]
pub(super) fn counts(events: &[Value]) -> BTreeMap<String, Count> {
    let stop = events.last().unwrap();
    assert_eq!(stop["event"]["action"], "agent-stop");
    let number = |output: &Value, name: &str| output[name].as_u64().unwrap();
    let count = |output: &Value| Count {
        written: number(output, "written"),
        delivered: number(output, "delivered"),
        dropped: number(output, "dropped"),
        pending: number(output, "pending"),
    };
    let outputs = stop["outputs"].as_array().unwrap();
    outputs.iter().map(|output| (output["name"].as_str().unwrap().to_owned(), count(output))).collect()
}
