//! Processes that rules are about: each says that it runs, connects to a port that refuses, and ends with 0.

use std::{fs, path::PathBuf, process, sync::Arc};

use collector_tests::{
    agent::{Agent, Run},
    events::Event,
    stream_rules,
    truth::cgroups::ContainerCgroup,
    workload::{
        images::Images,
        spawn::{Child, Plan},
    },
};
use serde_json::Value;

use crate::programs::SUBJECT;

/// A port of loopback at which no process listens.
const REFUSED: &str = "connect tcp 127.0.0.1:1";
/// A user that is not the test's.
pub(crate) const USER: u32 = 65_534;

/// What is written of a process: execs, exits, connects and their results.
pub(crate) type Lines = [usize; 4];
/// Nothing.
pub(crate) const NONE: Lines = [0; 4];
/// A whole life.
pub(crate) const ALL: Lines = [1; 4];

/// The images, `noisy` and `quiet`, which differ only in their names, and a shell, `maker`.
pub(crate) struct Machine {
    pub(crate) images: Images,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let images = Images::new(SUBJECT);
        for name in ["noisy", "quiet"] {
            images.copy(name, 0o755);
        }
        images.file("maker", &images.shell);
        Self { images }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.images.path(name).to_str().unwrap().to_owned()
    }

    /// A process of this image, as the test's user.
    pub(crate) fn plan(&self, name: &str) -> Plan {
        Plan::of(&self.path(name))
    }

    /// A process of this image as a child of the shell: commands to the shell reach it. The shell prints its id.
    pub(crate) fn plan_below_maker(&self, name: &str) -> Plan {
        let script = "exec 3<&0; \"$1\" <&3 & echo $!; wait";
        let args = [&*self.path("maker"), "-c", script, "sh", &self.path(name)];
        Plan { args: args.map(|arg| arg.as_bytes().to_vec()).to_vec(), ..self.plan("maker") }
    }

    /// A process of this image in what is below this cgroup.
    pub(crate) fn plan_in(&self, name: &str, cgroup: &ContainerCgroup) -> Plan {
        Plan { cgroup: Some(Arc::new(cgroup.procs())), ..self.plan(name) }
    }
}

/// Lets it connect and end; answers its id.
pub(crate) fn live(plan: &Plan) -> u32 {
    let mut child = plan.spawn();
    child.ready();
    end(child)
}

/// Lets one that runs already connect and end; answers its id.
pub(crate) fn end(mut child: Child) -> u32 {
    let pid = child.pid;
    child.send(REFUSED);
    child.answer();
    child.send("exit 0");
    child.reap();
    pid
}

/// Runs a plan of [`Machine::plan_below_maker`] until the child runs: the shell, and the child's id.
pub(crate) fn spawn_below_maker(plan: &Plan) -> (Child, u32) {
    let mut maker = plan.spawn();
    // The shell's line and the child's, in either order.
    let said = [maker.answer(), maker.answer()];
    assert!(said.iter().any(|line| line == "ready"), "{said:?}");
    let child = said.iter().find_map(|line| line.parse().ok()).unwrap();
    (maker, child)
}

/// What was written of a process.
pub(crate) fn lines(run: &Run, pid: u32) -> Lines {
    ["exec", "exit", "connect", "connect-result"].map(|action| run.of(pid, action).len())
}

/// Stops the agent; the stream must keep its rules, and add up with nothing lost.
#[track_caller]
pub(crate) fn stop(agent: Agent) -> Run {
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let lost = stream_rules::lost(&run.events, &["fork", "exec", "exit", "connect", "connect-result"]);
    findings.require("(nothing is lost)", lost == 0, || lost);
    findings.conclude();
    run
}

/// A counter of `agent-stop`; 0 where it is absent.
pub(crate) fn counter(run: &Run, path: &str) -> u64 {
    run.events.last().and_then(|stop| stop.number_at(&format!("counters.{path}"))).unwrap_or(0)
}

/// The sum of the `loss` records of an action with this reason.
#[track_caller]
pub(crate) fn reported_as_lost(run: &Run, action: &str, reason: &str) -> u64 {
    let is_it = |loss: &&Arc<Event>| {
        (loss.text_at("loss.action"), loss.text_at("loss.reason")) == (Some(action), Some(reason))
    };
    run.of_action("loss").filter(is_it).map(|loss| loss.number_at("loss.count").unwrap()).sum()
}

/// `agent.filters` of `agent-start`.
pub(crate) fn reported_filters(run: &Run) -> Option<Value> {
    run.events[0].at("agent.filters").cloned()
}

/// A name that no other test's cgroup has.
pub(crate) fn cgroup_name(what: &str) -> String {
    format!("collector-filter-{what}-{}", process::id())
}

/// A configuration file.
pub(crate) fn config(machine: &Machine, text: &str) -> PathBuf {
    let path = machine.images.path("collector.toml");
    fs::write(&path, text).unwrap();
    path
}
