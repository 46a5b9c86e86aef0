//! The program `storm`, and what it reports.

use std::{net::SocketAddr, path::Path};

use collector_tests::{
    cpid::{self, Identity},
    truth::{process, procfs},
    workload::spawn::{Child, Plan},
};
use serde_json::{Value, json};

use crate::programs::STORM;

/// A process that was made, as its maker saw it.
#[derive(Debug)]
pub(crate) struct Born {
    pub(crate) number: u32,
    pub(crate) pid: u32,
    /// As the specification has it.
    pub(crate) entity_id: String,
    /// The status of wait(2).
    pub(crate) status: i32,
    /// `process.exe` of an image that only its maker could see; else null.
    pub(crate) exe: Value,
}

/// A connect, as the process saw it that made it.
#[derive(Clone, Debug)]
pub(crate) struct Connect {
    pub(crate) number: u32,
    /// `tcp`, `udp` for connect(2), `datagram`.
    pub(crate) protocol: String,
    pub(crate) cookie: u64,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) errno: i32,
}

/// One parent of the storm.
#[derive(Debug)]
pub(crate) struct Maker {
    child: Child,
    /// What records of its children must say of their parent and their further ancestors.
    pub(crate) facts: Vec<(&'static str, Value)>,
    pub(crate) born: Vec<Born>,
    pub(crate) connects: Vec<Connect>,
}

impl Maker {
    pub(crate) fn of_execs(home: &Path, first: u32, step: u32, count: u32) -> Self {
        let numbers = [first, step, count].map(|number| number.to_string());
        let [first, step, count] = &numbers;
        Self::start(home, &["execs", home.to_str().unwrap(), first, step, count])
    }

    pub(crate) fn of_connects(
        first: u32,
        step: u32,
        count: u32,
        open: SocketAddr,
        closed: SocketAddr,
    ) -> Self {
        let [first, step, count] = [first, step, count].map(|number| number.to_string());
        let (open, closed) = (open.to_string(), closed.to_string());
        Self::start(Path::new("/"), &["connects", &first, &step, &count, &open, &closed])
    }

    pub(crate) fn of_lives(count: u32, open: SocketAddr, closed: SocketAddr) -> Self {
        let words = [count.to_string(), open.to_string(), closed.to_string()];
        let [count, open, closed] = &words;
        Self::start(Path::new("/"), &["again", count, open, closed])
    }

    fn start(directory: &Path, words: &[&str]) -> Self {
        let mut plan = Plan { directory: directory.to_owned(), ..Plan::of(STORM) };
        plan.args.extend(words.iter().map(|word| word.as_bytes().to_vec()));
        let mut child = plan.spawn();
        child.ready();
        Self { facts: facts(child.pid), child, born: Vec::new(), connects: Vec::new() }
    }

    /// Lets it go, and takes its report.
    pub(crate) fn run(mut self) -> Self {
        self.child.send("go");
        loop {
            let line = self.child.answer();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                // The last is JSON, without blanks.
                ["process", number, pid, start_ticks, status, exe] => self.born.push(Born {
                    number: number.parse().unwrap(),
                    pid: pid.parse().unwrap(),
                    entity_id: entity_id(pid.parse().unwrap(), start_ticks.parse().unwrap()),
                    status: status.parse().unwrap(),
                    exe: exe.parse().unwrap(),
                }),
                ["connect", number, protocol, cookie, source, destination, errno] => {
                    self.connects.push(Connect {
                        number: number.parse().unwrap(),
                        protocol: protocol.to_owned(),
                        cookie: cookie.parse().unwrap(),
                        source: source.parse().unwrap(),
                        destination: destination.parse().unwrap(),
                        errno: errno.parse().unwrap(),
                    });
                }
                ["done"] => return self,
                _ => panic!("{line:?} is not an answer of storm"),
            }
        }
    }
}

/// Of a process in this test's own PID namespace.
fn entity_id(pid: u32, start_ticks: u64) -> String {
    use std::sync::OnceLock;
    static OWN: OnceLock<([u8; 16], u64)> = OnceLock::new();
    let (boot, pid_namespace) = *OWN
        .get_or_init(|| (cpid::uuid_bytes(&procfs::boot_id()), procfs::namespace(std::process::id(), "pid")));
    cpid::cpid(&Identity { boot, pid_namespace, start_ticks, innermost_tgid: pid.into() })
}

fn facts(pid: u32) -> Vec<(&'static str, Value)> {
    let own = process::facts(pid);
    let of = |field: &str| own[&format!("process.{field}")].clone();
    vec![
        ("/process/parent/pid", json!(pid)),
        ("/process/parent/entity_id", of("entity_id")),
        ("/process/parent/executable", of("executable")),
        ("/process/parent/comm", of("comm")),
        ("/process/ancestors/0/entity_id", of("entity_id")),
        ("/process/ancestors/1/entity_id", of("parent.entity_id")),
        ("/process/session_leader/pid", of("session_leader.pid")),
        ("/process/group_leader/pid", of("group_leader.pid")),
        ("/process/namespaces", namespaces(pid)),
        ("/process/cgroup", of("cgroup")),
    ]
}

fn namespaces(pid: u32) -> Value {
    let names = ["mnt", "pid", "net", "user", "uts", "ipc", "cgroup"];
    Value::Object(
        names.iter().map(|name| ((*name).to_owned(), json!(procfs::namespace(pid, name)))).collect(),
    )
}
