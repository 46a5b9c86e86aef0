//! The digests that the stream finally has for an image, and an agent that is held still.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, thread, time::Duration};

use crate::{
    agent::Agent,
    events::Event,
    stream_rules,
    truth::files,
    wait::until,
    workload::{spawn::Child, spawn::Plan},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than a tick of the kernel's clock: what was changed before it shows when it is changed again.
pub const SETTLED: Duration = Duration::from_millis(30);

/// The digests of an image as reported, on its exec or on a later record.
#[derive(Debug)]
pub struct Reported {
    /// The exec itself.
    pub exec: Arc<Event>,
    /// `process.hash`
    pub hash: Option<Value>,
    /// `process.hash_source`
    pub source: Option<String>,
    /// Why there is no digest.
    pub missing: Option<String>,
}

impl Reported {
    /// Of the exec of this image by a process.
    #[track_caller]
    pub fn of(agent: &Agent, pid: u32, executable: &str) -> Self {
        let exec = agent.wait_for(pid, "the exec", |event| {
            event.action() == "exec" && event.text_at("process.executable") == Some(executable)
        });
        Self::in_the_end(agent, exec)
    }

    /// Of an exec.
    #[track_caller]
    pub fn in_the_end(agent: &Agent, exec: Arc<Event>) -> Self {
        let pid = u32::try_from(exec.pid().unwrap()).unwrap();
        let reported_by = if exec.missing("process.hash") == Some("pending") {
            agent.wait_for(pid, "the late digests", |event| {
                event.action() == "checksums" && event.at("process.exec_id") == exec.at("process.exec_id")
            })
        } else {
            Arc::clone(&exec)
        };
        Self {
            exec,
            hash: reported_by.at("process.hash").cloned(),
            source: reported_by.text_at("process.hash_source").map(str::to_owned),
            missing: reported_by.missing("process.hash").map(str::to_owned),
        }
    }

    /// The digests are those of these bytes, from this source.
    #[track_caller]
    pub fn expect(&self, what: &str, bytes: &[u8], source: &str) {
        assert_eq!(self.hash, Some(files::hashes(bytes)), "{what}: {}", self.exec.text);
        assert_eq!(self.source.as_deref(), Some(source), "{what}: {}", self.exec.text);
        assert_eq!(self.missing, None, "{what}");
    }

    /// There is no digest, for this reason.
    #[track_caller]
    pub fn expect_none(&self, what: &str, reason: &str) {
        assert_eq!((&self.hash, &self.source), (&None, &None), "{what}: {}", self.exec.text);
        assert_eq!(self.missing.as_deref(), Some(reason), "{what}: {}", self.exec.text);
    }
}

/// An agent that does nothing meanwhile, while the kernel goes on to record.
#[derive(Debug)]
pub struct Held {
    pid: u32,
}

impl Held {
    /// Until it is dropped.
    pub fn still(agent: &Agent) -> Self {
        let pid = agent.pid();
        kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::STOP).unwrap();
        until("an agent that stands still", || {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            let mut states = threads.map(|thread| {
                let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
                stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
            });
            states.all(|stopped| stopped).then_some(())
        });
        Self { pid }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let agent = Pid::from_raw(self.pid.try_into().unwrap()).unwrap();
        kill_process(agent, Signal::CONT).unwrap();
    }
}

/// Writes an image, and gives its change time time to settle.
pub fn write_settled(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    thread::sleep(SETTLED);
}

/// A command that is run as it is typed.
pub fn plan(args: &[&str]) -> Plan {
    let mut plan = Plan::of(args[0]);
    plan.args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
    plan
}

/// Runs a command that says that it is ready and waits.
pub fn start(args: &[&str]) -> Child {
    let mut child = plan(args).spawn();
    child.ready();
    child
}

/// Runs a command to its end; answers with its process id.
pub fn run(args: &[&str]) -> u32 {
    let child = plan(args).spawn();
    let pid = child.pid;
    child.reap();
    pid
}

/// What becomes of a file, and its name.
pub type Change = (&'static str, fn(&Path));

/// Ends the agent; its stream must be as every stream is.
#[track_caller]
pub fn end(agent: Agent) {
    stream_rules::check(&agent.stop().expect_success().events).conclude();
}
