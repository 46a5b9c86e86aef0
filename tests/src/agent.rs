//! The agent, run as a user runs it, and its stream, read as a consumer reads it.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};

pub use crate::run::Run;
use crate::{events::Event, stderr::Stderr, wait::PATIENCE};

/// The agent's binary: `COLLECTOR_BIN`, else the release or the debug build of the workspace.
///
/// # Panics
///
/// When neither exists.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("COLLECTOR_BIN") {
        return path.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    ["release", "debug"]
        .iter()
        .map(|profile| workspace.join("target").join(profile).join("collector"))
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!("no collector in {}/target; build it, or set COLLECTOR_BIN", workspace.display())
        })
}

/// `collector` with these arguments, without the user's configuration.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("COLLECTOR_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// A running `collector run`.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    stream: Arc<Stream>,
    reader: Option<JoinHandle<()>>,
    stderr: Option<Stderr>,
}

/// The records read so far.
#[derive(Debug, Default)]
struct Stream {
    records: Mutex<Records>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Records {
    all: Vec<Arc<Event>>,
    by_pid: HashMap<u64, Vec<usize>>,
    ended: bool,
}

impl Agent {
    /// `collector run ARGS`, with everything attached.
    ///
    /// # Panics
    ///
    /// When it ends before its `agent-start`.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        Self::try_start(args).unwrap_or_else(|run| panic!("collector run {args:?} does not start: {run}"))
    }

    /// As [`Self::start`], or how it ended.
    ///
    /// # Errors
    ///
    /// The run, when it ends before its `agent-start`.
    #[track_caller]
    pub fn try_start(args: &[&str]) -> Result<Self, Run> {
        let agent = Self::spawn(args);
        if agent.first().is_some_and(|event| event.action() == "agent-start") {
            return Ok(agent);
        }
        Err(agent.finish())
    }

    fn spawn(args: &[&str]) -> Self {
        let mut child = command(&["run"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", binary().display()));
        let stream = Arc::new(Stream::default());
        let (lines, feed) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&stream));
        let reader = thread::spawn(move || feed.fill(lines));
        let stderr = Stderr::of(child.stderr.take().unwrap());
        Self { child, stream, reader: Some(reader), stderr: Some(stderr) }
    }

    /// The first record, or nothing where the agent ends without one.
    #[track_caller]
    fn first(&self) -> Option<Arc<Event>> {
        self.stream.wait("the agent's first record", |records| {
            records.all.first().map(|event| Some(Arc::clone(event))).or(records.ended.then_some(None))
        })
    }

    /// The agent's own process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first record of this process that `is_it` takes.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    #[track_caller]
    pub fn wait_for(&self, pid: u32, what: &str, is_it: impl Fn(&Event) -> bool) -> Arc<Event> {
        self.stream.wait(&format!("{what} of {pid}"), |records| {
            let mut of_pid = records.by_pid.get(&pid.into())?.iter().map(|&index| &records.all[index]);
            of_pid.find(|event| is_it(event)).cloned()
        })
    }

    /// The first record of any process that `is_it` takes.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    #[track_caller]
    pub fn wait_for_any(&self, what: &str, is_it: impl Fn(&Event) -> bool) -> Arc<Event> {
        self.stream.wait(what, |records| records.all.iter().find(|event| is_it(event)).cloned())
    }

    /// The first record of this process that `is_it` takes, if it has come already.
    pub fn find(&self, pid: u32, is_it: impl Fn(&Event) -> bool) -> Option<Arc<Event>> {
        let records = self.stream.records.lock().unwrap();
        let mut of_pid = records.by_pid.get(&pid.into())?.iter().map(|&index| &records.all[index]);
        of_pid.find(|event| is_it(event)).cloned()
    }

    /// Waits until the agent has printed this to its standard error.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    #[track_caller]
    pub fn wait_for_stderr(&self, part: &str) {
        self.stderr.as_ref().unwrap().wait_for(part);
    }

    /// Waits for the digests of an exec, where it was written before they were ready. An agent that is asked to stop does not
    /// wait for them.
    ///
    /// # Panics
    ///
    /// When they do not come in time.
    #[track_caller]
    pub fn wait_for_digests(&self, exec: &Event) {
        if exec.missing("process.hash") == Some("pending") {
            let pid = u32::try_from(exec.pid().unwrap()).unwrap();
            self.wait_for(pid, "the late digests", |event| {
                event.action() == "checksums" && event.at("process.exec_id") == exec.at("process.exec_id")
            });
        }
    }

    /// Waits until a process has `count` records of an action, and returns all of them.
    ///
    /// # Panics
    ///
    /// When they do not come in time.
    #[track_caller]
    pub fn wait_for_all(&self, pid: u32, action: &str, count: usize) -> Vec<Arc<Event>> {
        self.stream.wait(&format!("{count} times {action} of {pid}"), |records| {
            let of_pid = records.by_pid.get(&pid.into())?.iter().map(|&index| &records.all[index]);
            let found: Vec<_> = of_pid.filter(|event| event.action() == action).cloned().collect();
            (found.len() >= count).then_some(found)
        })
    }

    /// SIGTERM to the agent, then all that it wrote.
    #[track_caller]
    pub fn stop(self) -> Run {
        self.stop_with(Signal::TERM)
    }

    /// A signal to the agent.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// A signal to the agent, then all that it wrote.
    #[track_caller]
    pub fn stop_with(self, signal: Signal) -> Run {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.finish()
    }

    /// Waits until the agent ends by itself.
    #[track_caller]
    pub fn finish(mut self) -> Run {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "collector did not end within {PATIENCE:?}");
            thread::sleep(std::time::Duration::from_millis(2));
        };
        self.reader.take().unwrap().join().unwrap();
        let stderr = self.stderr.take().unwrap().finish();
        let events = std::mem::take(&mut self.stream.records.lock().unwrap().all);
        Run { events, status, stderr }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It has ended already after `finish`; otherwise a test has failed, and the agent must not stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stream {
    fn fill(&self, lines: impl BufRead) {
        for line in lines.split(b'\n') {
            let Ok(line) = line else { break };
            let event = Arc::new(Event::from_line(String::from_utf8_lossy(&line).into_owned()));
            let mut records = self.records.lock().unwrap();
            let index = records.all.len();
            if let Some(pid) = event.pid() {
                records.by_pid.entry(pid).or_default().push(index);
            }
            records.all.push(event);
            drop(records);
            self.news.notify_all();
        }
        self.records.lock().unwrap().ended = true;
        self.news.notify_all();
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, probe: impl Fn(&Records) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut records = self.records.lock().unwrap();
        loop {
            if let Some(answer) = probe(&records) {
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let last = records.all.last().map_or("nothing", |event| &event.text);
            assert!(!left.is_zero(), "waited {PATIENCE:?} in vain for {what}; last came {last}");
            assert!(!records.ended, "the stream ended without {what}; last came {last}");
            records = self.news.wait_timeout(records, left).unwrap().0;
        }
    }
}

/// The records in a file that the agent wrote.
pub fn read_stream(path: &Path) -> Vec<Arc<Event>> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    text.lines().map(|line| Arc::new(Event::from_line(line.to_owned()))).collect()
}
