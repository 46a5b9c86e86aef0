//! What is a kernel task and what is not: kthreads are, a zombie never is. And the snapshot of what ran before the agent.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use collector_tests::{
    agent::{Agent, Run},
    compare::{self, CLOCK_TOLERANCE, Life},
    events::Event,
    live::live_test,
    stream_rules,
    truth::{
        clock::Wall,
        procfs::{self, Stat},
    },
    wait::until,
    workload::{
        images::Images,
        spawn::{Child, Plan},
    },
};
use serde_json::json;

use crate::programs::SUBJECT;

/// All processes, and what is fixed for each.
fn processes() -> BTreeMap<u32, Stat> {
    procfs::pids().into_iter().filter_map(|pid| Some((pid, Stat::read(pid)?))).collect()
}

/// A child that has ended and has not been waited for.
fn zombie(images: &Images) -> Child {
    let mut child = Plan::of(images.path("subject").to_str().unwrap()).spawn();
    child.ready();
    child.send("exit 0");
    until("a zombie", || (Stat::read(child.pid)?.state == 'Z').then_some(()));
    child
}

/// A process whose leader has ended, which /proc/PID/stat shows as a zombie as well, with no image and no memory; but
/// another thread of it runs.
fn headless(images: &Images) -> Child {
    let mut child = Plan::of(images.path("subject").to_str().unwrap()).spawn();
    child.ready();
    child.send("leader-leaves");
    until("a zombie that leads", || (Stat::read(child.pid)?.state == 'Z').then_some(()));
    child
}

#[live_test]
fn in_a_snapshot_kthreads_are_kernel_tasks_and_nothing_else_is() {
    let images = Images::new(SUBJECT);
    let zombie = zombie(&images);
    let headless = headless(&images);
    let before = processes();
    let agent = Agent::start(&["--snapshot"]);
    let run = agent.stop().expect_success();
    let after = processes();

    let mut findings = stream_rules::check(&run.events);
    let mut reported: HashMap<u32, Vec<&Arc<Event>>> = HashMap::new();
    for event in run.of_action("snapshot") {
        reported.entry(u32::try_from(event.pid().unwrap()).unwrap()).or_default().push(event);
    }
    let stayed = before
        .iter()
        .filter(|(pid, stat)| after.get(pid).is_some_and(|now| now.start_ticks == stat.start_ticks));
    for (pid, stat) in stayed {
        let comm = procfs::comm(*pid).unwrap_or_default();
        let of_pid = reported.get(pid).map_or(&[][..], Vec::as_slice);
        // A process that has ended does not run; if it is reported at all, then not as a kernel task.
        let has_ended = stat.state == 'Z' && *pid != headless.pid;
        findings.require(
            "(a process that ran before is in the snapshot once)",
            of_pid.len() == 1 || has_ended,
            || format!("{pid} ({comm}): {} times", of_pid.len()),
        );
        let Some(event) = of_pid.first() else { continue };
        let expected = stat.is_kernel_thread().then_some(json!(true));
        let whose = format!("{pid} ({comm}), state {}", stat.state);
        findings.equal("process.is_kernel", &whose, event.at("process.is_kernel"), expected.as_ref());
        if stat.is_kernel_thread() {
            let reason = event.missing("process.executable");
            findings.require("capture.missing[process.executable]", reason == Some("kernel_task"), || {
                format!("{whose}: {reason:?}")
            });
        }
    }
    assert!(before[&2].is_kernel_thread(), "pid 2 is kthreadd");
    assert_eq!([before[&zombie.pid].state, before[&headless.pid].state], ['Z', 'Z']);
    findings.conclude();
}

#[live_test]
fn a_snapshot_has_all_that_proc_has_of_a_process_that_ran_before() {
    let images = Images::new(SUBJECT);
    let env: Vec<Vec<u8>> = [&b"A=1"[..], b"A=2", b"alone", b"\xff"].map(<[u8]>::to_vec).to_vec();
    let plan = Plan {
        args: [&b"ran before"[..], b"", b"two words", b"\x80"].map(<[u8]>::to_vec).to_vec(),
        env: env.clone(),
        directory: images.directory(),
        ..Plan::of(images.path("subject").to_str().unwrap())
    };
    let mut child = plan.spawn();
    child.ready();
    let life = Life::of(&child);
    let agent = Agent::start(&["--snapshot", "--event", "exec,exit"]);
    let snapshot = agent.wait_for(child.pid, "the snapshot", |event| event.action() == "snapshot");
    let before_end = Wall::now();
    child.send("exit 9");
    let pid = child.pid;
    let reaped = child.reap();
    let ended = (before_end, Wall::now());
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    let mut expected = life.facts.clone();
    expected.insert("process.working_directory".into(), json!(images.directory()));
    expected.insert("process.args_count".into(), json!(4));
    for (path, expected) in &expected {
        findings.equal(path, "snapshot", snapshot.at(path), Some(expected));
    }
    compare::line_of_ancestors(&mut findings, &snapshot, &life);
    compare::strings(&mut findings, &snapshot, "process.args", &plan.args);
    compare::strings(&mut findings, &snapshot, "process.env_vars", &env);
    for field in ["process.args", "process.env_vars"] {
        let origin = snapshot.origin(field);
        findings
            .require(&format!("capture.origin[{field}]"), origin == Some("proc"), || format!("{origin:?}"));
    }
    let place = |action| {
        run.events.iter().position(|event| event.action() == action && event.pid() == Some(pid.into()))
    };
    findings.require("(snapshot before exit)", place("snapshot") < place("exit"), || "the other way round");
    let exits = run.of(pid, "exit");
    findings.require("(one exit)", exits.len() == 1, || exits.len());
    for exit in exits {
        // Its exec was not seen, but who it is was.
        compare::exit(&mut findings, &exit, ended, &reaped);
        compare::same_identity(&mut findings, &snapshot, &exit);
    }
    findings.conclude();
}

#[live_test]
fn the_exec_and_exit_of_a_zombie_are_those_of_a_process() {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let zombie = zombie(&images);
    let from = zombie.before;
    // Both are written while it is a zombie.
    let records = ["exec", "exit"].map(|action| {
        agent.wait_for(zombie.pid, action, |event| {
            let after = |at: Wall| at.is_between(from, Wall::now(), CLOCK_TOLERANCE);
            event.action() == action && event.timestamp().is_some_and(after)
        })
    });
    assert_eq!(Stat::read(zombie.pid).unwrap().state, 'Z');
    let run: Run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    let executable = json!(images.path("subject"));
    for event in &records {
        let action = event.action();
        findings.equal("process.is_kernel", action, event.at("process.is_kernel"), None);
        findings.equal("process.executable", action, event.at("process.executable"), Some(&executable));
        findings.require("capture.missing", event.missing("process.executable").is_none(), || &event.text);
    }
    findings.conclude();
}
