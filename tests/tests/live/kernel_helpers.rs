//! Programs that the kernel itself starts (usermode helpers): reported whole, and marked as such.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    sync::Arc,
};

use collector_tests::{
    agent::Agent,
    events::Event,
    live::live_test,
    stream_rules,
    workload::{images::Images, spawn::Plan, tiny},
};
use serde_json::json;
use tempfile::TempDir;

use crate::programs::SUBJECT;

/// A hierarchy of version 1 cgroups of this test's own, whose release agent the kernel runs when a group becomes empty.
/// Nothing of the machine's own is touched, as `core_pattern` or the path of modprobe would be.
struct Hierarchy {
    directory: TempDir,
}

impl Hierarchy {
    fn new(release_agent: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // A name is a hierarchy: each has its own, with the directory's.
        let name = directory.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.');
        let options = format!("none,name=collector-{name}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "cgroup", "-o", &options, "none"]).arg(directory.path());
        assert!(mount.status().unwrap().success(), "a kernel without cgroups of version 1");
        fs::write(directory.path().join("release_agent"), release_agent.to_str().unwrap()).unwrap();
        fs::create_dir(directory.path().join("child")).unwrap();
        fs::write(directory.path().join("child/notify_on_release"), "1").unwrap();
        Self { directory }
    }

    /// A process that is in the group for its short life.
    fn come_and_go(&self) {
        let procs =
            File::options().write(true).open(self.directory.path().join("child/cgroup.procs")).unwrap();
        Plan { cgroup: Some(Arc::new(procs)), ..Plan::of("/bin/true") }.spawn().reap();
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.directory.path().join("child"));
        let _ = Command::new("umount").arg(self.directory.path()).status();
    }
}

/// What the kernel gives its helpers, by `cgroup1_release_agent`.
const ENV_OF_HELPERS: [&str; 2] = ["HOME=/", "PATH=/sbin:/bin:/usr/sbin:/usr/bin"];

fn is_helper(event: &Event) -> bool {
    event.at("process.usermode_helper") == Some(&json!(true))
}

#[live_test]
fn a_program_that_the_kernel_starts_is_reported_whole_and_marked_as_a_helper() {
    let images = Images::new(SUBJECT);
    let path = images.path("released");
    tiny::write(&path, &tiny::image("helper"));
    let hierarchy = Hierarchy::new(&path);
    let agent = Agent::start(&["--event", "fork,exec,exit"]);
    hierarchy.come_and_go();
    let executable = json!(path);
    let of = |action: &str| {
        agent.wait_for_any(action, |event| {
            event.action() == action && event.at("process.executable") == Some(&executable)
        })
    };
    let events = ["exec", "exit"].map(of);
    let run = agent.stop().expect_success();
    drop(hierarchy);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let mut equal = |field: &str, expected| {
            findings.equal(field, event.action(), event.at(field), Some(&expected));
        };
        equal("process.usermode_helper", json!(true));
        equal("process.args", json!([executable, "/child"]));
        equal("process.comm", json!("released"));
        equal("process.working_directory", json!("/"));
        equal("process.parent.pid", json!(2));
        equal("process.parent.comm", json!("kthreadd"));
        equal("process.user.id", json!("0"));
        findings.equal("process.is_kernel", event.action(), event.at("process.is_kernel"), None);
    }
    findings.equal(
        "process.env_vars",
        "exec",
        events[0].at("process.env_vars"),
        Some(&json!(ENV_OF_HELPERS)),
    );
    findings.equal("process.exit_code", "exit", events[1].at("process.exit_code"), Some(&json!(0)));
    for event in run.of_action("exec") {
        let by_the_kernel = event.number_at("process.parent.pid") == Some(2);
        findings.require("(no other exec is a helper's)", is_helper(event) == by_the_kernel, || &event.text);
    }
    findings.conclude();
}

#[live_test]
fn a_second_image_of_a_helper_is_one_too_and_its_children_are_not() {
    let images = Images::new(SUBJECT);
    let tiny = images.path("second");
    tiny::write(&tiny, &tiny::image("second"));
    let script = images.script("released.sh", &format!("#!/bin/sh\n/bin/true\nexec {} 7\n", tiny.display()));
    let hierarchy = Hierarchy::new(&script);
    let agent = Agent::start(&["--event", "exec,exit"]);
    hierarchy.come_and_go();
    let second = json!(tiny);
    let exit = agent.wait_for_any("the exit", |event| {
        event.action() == "exit" && event.at("process.executable") == Some(&second)
    });
    let run = agent.stop().expect_success();
    drop(hierarchy);
    let pid = u32::try_from(exit.pid().unwrap()).unwrap();
    let mut findings = stream_rules::check(&run.events);
    let execs = run.of(pid, "exec");
    findings.require("(two images)", execs.len() == 2, || execs.len());
    for event in execs.iter().chain([&exit]) {
        findings.require("process.usermode_helper", is_helper(event), || &event.text);
    }
    findings.equal("process.script", "exec", execs[0].at("process.script"), Some(&json!(script)));
    let is_child = |event: &&Arc<Event>| event.number_at("process.parent.pid") == Some(pid.into());
    let children: Vec<_> = run.events.iter().filter(is_child).collect();
    findings.require("(a child's exec and exit)", children.len() == 2, || children.len());
    findings.require("(a child is not a helper)", !children.iter().any(|event| is_helper(event)), || pid);
    findings.conclude();
}
