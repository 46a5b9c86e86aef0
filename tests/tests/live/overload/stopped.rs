//! The agent with a reader that can be stopped, and storms meanwhile.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use collector_tests::{
    agent::{command, read_stream},
    events::Event,
    wait::{PATIENCE, until},
    workload::storm::furnish,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{maker::Maker, shell::Shell};

/// Processes in a round of a storm.
const ROUND: u32 = 1000;
const MAKERS: u32 = 2;

/// Processes that end at once, as fast as they can be made, for so long.
pub(crate) fn storm_for(time: Duration) {
    let begin = Instant::now();
    let mut made = 0;
    while begin.elapsed() < time {
        storm_of(ROUND * MAKERS);
        made += ROUND * MAKERS;
    }
    eprintln!("{made} processes in {:?}", begin.elapsed());
}

/// So many of them.
pub(crate) fn storm_of(count: u32) {
    let directory = super::directory();
    let home = directory.path().canonicalize().unwrap();
    furnish(&home);
    let makers = (0..MAKERS).map(|first| Maker::of_execs(&home, first, MAKERS, count / MAKERS));
    let makers: Vec<_> = makers.map(|maker| thread::spawn(|| maker.run())).collect();
    for maker in makers {
        drop(maker.join().unwrap());
    }
}

/// `collector run` whose stream ends in a file: through a pipe and another process, or directly.
#[derive(Debug)]
pub(crate) struct FaultyAgent {
    agent: Child,
    /// Copies the agent's standard output into the file.
    reader: Option<Child>,
    stream: PathBuf,
    stderr: PathBuf,
    _directory: TempDir,
}

impl FaultyAgent {
    /// With a reader.
    pub(crate) fn start(args: &[&str]) -> Self {
        let directory = in_memory();
        let stream = directory.path().join("stream.jsonl");
        let stderr = directory.path().join("stderr");
        let mut agent = spawn(args, Stdio::piped(), &stderr);
        let reader = Command::new("/bin/cat")
            .stdin(agent.stdout.take().unwrap())
            .stdout(File::create(&stream).unwrap())
            .spawn()
            .unwrap();
        Self { agent, reader: Some(reader), stream, stderr, _directory: directory }.started()
    }

    /// Straight into a file.
    pub(crate) fn start_into(stream: PathBuf, args: &[&str]) -> Self {
        let directory = in_memory();
        let stderr = directory.path().join("stderr");
        let output = format!("file:{}", stream.display());
        let agent = spawn(&[args, &["--output", &output]].concat(), Stdio::null(), &stderr);
        Self { agent, reader: None, stream, stderr, _directory: directory }.started()
    }

    fn started(self) -> Self {
        until("agent-start", || self.text().contains("\"agent-start\"").then_some(()));
        self
    }

    pub(crate) fn stop(&self) {
        signal(&self.agent, Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        signal(&self.agent, Signal::CONT);
    }

    pub(crate) fn stop_reader(&self) {
        signal(self.reader.as_ref().unwrap(), Signal::STOP);
    }

    pub(crate) fn resume_reader(&self) {
        signal(self.reader.as_ref().unwrap(), Signal::CONT);
    }

    /// What it said to people so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until the exec of a child of the shell is reported with its true parent, whose image ends in `image`, and with
    /// all ancestors. More than one child is made: events are still lost while a queue is full, and what the
    /// agent missed is looked up once a second.
    #[track_caller]
    pub(crate) fn check_child_of(&self, shell: &mut Shell, image: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while Instant::now() < deadline {
            let mark = shell.make_child();
            let line = shell.line();
            let Some(exec) = self.exec_with(&mark) else { continue };
            let reported = Reported::of(&exec);
            if reported.line == line && reported.image.ends_with(image) {
                return;
            }
            last = Some((reported, line, exec.text));
        }
        panic!("no child of {} was reported correctly; the last: {last:?}; {}", shell.pid, self.said());
    }

    /// The exec with this argument, if it comes soon.
    fn exec_with(&self, mark: &str) -> Option<Event> {
        let deadline = Instant::now() + Duration::from_secs(1);
        while Instant::now() < deadline {
            let text = self.text();
            let is_it = |line: &&str| line.contains(mark) && line.contains("\"action\":\"exec\"");
            if let Some(line) = text.lines().rev().find(is_it).filter(|line| line.ends_with('}')) {
                return Some(Event::from_line(line.to_owned()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// SIGTERM, and the whole stream.
    pub(crate) fn finish(mut self) -> Vec<Arc<Event>> {
        signal(&self.agent, Signal::TERM);
        let status = until("the end of collector", || self.agent.try_wait().unwrap());
        assert!(status.success(), "collector ended with {status}: {}", self.said());
        if let Some(reader) = &mut self.reader {
            assert!(reader.wait().unwrap().success());
        }
        assert!(self.text().ends_with("}\n"), "the last line is whole");
        read_stream(&self.stream)
    }

    /// The end of the stream.
    fn text(&self) -> String {
        const NEAR: usize = 1 << 20;
        let bytes = fs::read(&self.stream).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(NEAR)..]).into_owned()
    }
}

impl Drop for FaultyAgent {
    fn drop(&mut self) {
        // Already gone after `finish`; otherwise a test has failed, and nothing must stay.
        for child in [Some(&mut self.agent), self.reader.as_mut()].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What an exec says of where its process comes from.
#[derive(Debug)]
struct Reported {
    /// The ids of its ancestors.
    line: Vec<Value>,
    /// The image of its parent.
    image: String,
}

impl Reported {
    fn of(exec: &Event) -> Self {
        let ancestors = exec.at("process.ancestors").and_then(Value::as_array).into_iter().flatten();
        let line: Vec<Value> = ancestors.map(|ancestor| ancestor["entity_id"].clone()).collect();
        assert_eq!(exec.at("process.parent.entity_id"), line.first(), "{}", exec.text);
        let image = exec.text_at("process.parent.executable").unwrap_or_default().to_owned();
        Self { line, image }
    }
}

fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

fn spawn(args: &[&str], output: Stdio, stderr: &Path) -> Child {
    command(&["run"]).args(args).stdout(output).stderr(File::create(stderr).unwrap()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}
