//! A running tool: its processes, its output, and whether it is idle.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bench::meter;
use crate::step;

/// A tool is idle when it has used at most one tick in this time.
const REST: Duration = Duration::from_millis(600);
const LOOK: Duration = Duration::from_millis(100);
/// No tool may take longer to start, or to finish its work.
const PATIENCE: Duration = Duration::from_mins(1);

/// Processes that work together, each with a file for its output.
pub(super) struct Tool {
    name: String,
    parts: Vec<Part>,
    /// Kernel threads that work only for this tool.
    threads: Vec<u32>,
}

struct Part {
    child: Child,
    output: PathBuf,
}

impl Tool {
    /// Starts all commands; their output goes into `directory`.
    pub(super) fn start(name: &str, commands: Vec<Command>, directory: &Path) -> Result<Self> {
        let mut tool = Self { name: name.to_owned(), parts: Vec::new(), threads: Vec::new() };
        for (index, mut command) in commands.into_iter().enumerate() {
            let output = directory.join(format!("{name}-{index}"));
            let making = || format!("cannot make {}", output.display());
            let file = File::create(&output).with_context(making)?;
            let errors = file.try_clone().with_context(making)?;
            command.stdin(Stdio::null()).stdout(file).stderr(errors);
            let child = command.spawn().with_context(|| format!("cannot start {}", step::shown(&command)))?;
            tool.parts.push(Part { child, output });
        }
        Ok(tool)
    }

    /// Counts the time of a kernel thread too.
    pub(super) fn with_thread(&mut self, comm: &str) {
        self.threads.extend(meter::kernel_thread(comm));
    }

    /// Waits until the tool is idle: it has started, or has finished its work.
    pub(super) fn settle(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let mut last = (Instant::now(), self.cpu()?);
        while last.0.elapsed() < REST {
            thread::sleep(LOOK);
            let now = self.cpu()?;
            // One tick may come from other processes of the machine.
            if now.saturating_sub(last.1) > Duration::from_millis(10) {
                last = (Instant::now(), now);
            }
            if Instant::now() > end {
                bail!("{} is not idle after {} s", self.name, PATIENCE.as_secs());
            }
        }
        Ok(())
    }

    /// CPU time of all its processes so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.pids().map(meter::cpu).sum::<Result<Duration>>().with_context(|| self.gone())
    }

    /// The sum of a size of /proc/PID/status, in bytes.
    pub(super) fn memory(&self, name: &str) -> Result<u64> {
        self.pids().map(|pid| meter::memory(pid, name)).sum::<Result<u64>>().with_context(|| self.gone())
    }

    fn pids(&self) -> impl Iterator<Item = u32> {
        self.parts.iter().map(|part| part.child.id()).chain(self.threads.iter().copied())
    }

    fn gone(&self) -> String {
        let said = self.parts.iter().filter_map(|part| fs::read_to_string(&part.output).ok());
        let said: String = said.map(|said| said.chars().take(400).collect::<String>()).collect();
        format!("{} ended before it was stopped, with the output {said:?}", self.name)
    }

    /// Sends SIGINT to each process and returns the files of their output.
    pub(super) fn stop(self) -> Result<Vec<PathBuf>> {
        self.stop_by("INT")
    }

    /// The same as `stop` with another signal.
    pub(super) fn stop_by(mut self, name: &str) -> Result<Vec<PathBuf>> {
        for Part { child, .. } in &mut self.parts {
            signal(name, child.id())?;
            wait(child, &self.name)?;
        }
        Ok(self.parts.iter().map(|part| part.output.clone()).collect())
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        for Part { child, .. } in &mut self.parts {
            // They have ended after `stop`; after an error they must not stay.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn wait(child: &mut Child, name: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while child.try_wait().with_context(|| format!("cannot wait for {name}"))?.is_none() {
        if Instant::now() > end {
            bail!("{name} still runs {} s after its signal", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Sends a signal by kill(1), since xtask has no unsafe code.
fn signal(name: &str, pid: u32) -> Result<()> {
    step::ask(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")])).map(drop)
}
