//! The agent with a file as its output, in memory: for more events than a test can read while they come.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{agent::command, follower::Follower, wait::until, workload::spawn::Plan};

/// A running `collector run --output file:…`.
#[derive(Debug)]
pub struct FileAgent {
    child: Child,
    directory: TempDir,
}

impl FileAgent {
    /// `collector run ARGS`, with everything attached.
    pub fn start(args: &[&str]) -> Self {
        let memory = Path::new("/dev/shm");
        let mut prepared = tempfile::Builder::new();
        prepared.prefix("collector-test-");
        let directory =
            if memory.is_dir() { prepared.tempdir_in(memory) } else { prepared.tempdir() }.unwrap();
        let output = format!("file:{}", stream_in(&directory).display());
        let child = command(&["run", "--output", &output])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let agent = Self { child, directory };
        agent.wait_for_line(&["\"agent-start\""], 0);
        agent
    }

    /// Waits until a process that starts now is in the file, from its exec to its exit. Everything that came before it is
    /// in the file then.
    pub fn catch_up(&self) {
        let mark = format!("mark of {}", rustix::process::getpid().as_raw_nonzero());
        let before = self.written();
        let mut plan = Plan::of("/bin/true");
        plan.args.push(mark.clone().into());
        plan.spawn().reap();
        self.wait_for_line(&[&mark, "\"exit\""], before);
    }

    /// SIGTERM, and the whole stream.
    pub fn stop(mut self) -> Vec<u8> {
        self.end();
        fs::read(stream_in(&self.directory)).unwrap()
    }

    /// SIGTERM; a [`Follower`] has the rest of the stream.
    pub fn end(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = until("the end of collector", || self.child.try_wait().unwrap());
        assert!(status.success(), "collector ended with {status}");
    }

    /// Reads the stream from its beginning on, while it is written.
    pub fn follow(&self) -> Follower {
        Follower::of(&stream_in(&self.directory))
    }

    /// A line from this place of the file on with all of these texts in it. Others on this machine may make many more.
    fn wait_for_line(&self, texts: &[&str], from: u64) {
        let (mut read, mut line) = (from, Vec::new());
        until(&format!("a line with {texts:?}"), || {
            let mut file = File::open(stream_in(&self.directory)).ok()?;
            file.seek(SeekFrom::Start(read)).unwrap();
            let mut lines = BufReader::new(file);
            loop {
                read += u64::try_from(lines.read_until(b'\n', &mut line).unwrap()).unwrap();
                if line.last() != Some(&b'\n') {
                    // The rest of it comes later.
                    return None;
                }
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                if texts.iter().all(|part| text.contains(part)) {
                    return Some(());
                }
            }
        });
    }

    fn written(&self) -> u64 {
        fs::metadata(stream_in(&self.directory)).map_or(0, |file| file.len())
    }
}

impl Drop for FileAgent {
    fn drop(&mut self) {
        // Already gone after `stop`; otherwise a test has failed, and the agent must not stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stream_in(directory: &TempDir) -> PathBuf {
    directory.path().join("stream.jsonl")
}
