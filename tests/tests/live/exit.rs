//! Exits: with the last thread, with the code that wait4(2) reports, with the work of all threads, of any number of processes.

use collector_tests::{
    agent::Agent,
    compare::{self, Life},
    findings::Findings,
    live::live_test,
    stream_rules,
    truth::{clock::Wall, procfs::Stat},
    wait::until,
    workload::{
        images::Images,
        spawn::{Child, Plan},
    },
};
use serde_json::json;

use crate::programs::{SUBJECT, end_subject, lineage, subject};

/// The leader ends, and some time later the last thread does, by `last_words`.
fn leader_leaves(last_words: &str) {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = subject(&images);
    let life = Life::of(&child);
    child.send("leader-leaves");
    until("a leader that has ended", || (Stat::read(child.pid)?.state == 'Z').then_some(()));
    let pid = child.pid;
    let (ended, reaped) = end_subject(child, last_words);
    agent.wait_for_all(pid, "exit", 1);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let exits = run.of_entity(life.entity_id(), "exit");
    findings.require("(one exit)", exits.len() == 1, || exits.len());
    for exit in &exits {
        // Not before the last thread's end, and with the code that wait4(2) reports.
        compare::exit(&mut findings, exit, ended, &reaped);
        compare::identity(&mut findings, exit, &life);
    }
    findings.conclude();
}

#[live_test]
fn a_process_ends_with_its_last_thread_and_the_code_of_exit_group() {
    leader_leaves("exit 7");
}

#[live_test]
fn a_process_whose_threads_end_one_by_one_has_the_code_of_its_leader() {
    leader_leaves("thread-exit 5");
}

/// Row 2: a table of 256 was full.
#[live_test]
fn each_exit_of_hundreds_of_processes_that_live_at_once_is_reported() {
    let agent = Agent::start(&["--event", "exec,exit"]);
    let plan = Plan { args: vec![b"sleep".to_vec(), b"1000".to_vec()], ..Plan::of("/bin/sleep") };
    let alive: Vec<Child> = (0..400).map(|_| plan.spawn()).collect();
    let pids: Vec<u32> = alive.iter().map(|child| child.pid).collect();
    drop(alive);
    let mut findings = Findings::new();
    for pid in pids {
        for exit in agent.wait_for_all(pid, "exit", 1) {
            findings.equal("process.args", "exit", exit.at("process.args"), Some(&json!(["sleep", "1000"])));
            findings.equal("process.exit.signal", "exit", exit.at("process.exit.signal"), Some(&json!(9)));
        }
    }
    findings.add(stream_rules::check(&agent.stop().expect_success().events));
    findings.conclude();
}

#[live_test]
fn an_exit_counts_the_work_of_threads_that_have_ended_before() {
    let agent = Agent::start(&["--event", "exec,exit"]);
    let before = Wall::now();
    let child = lineage(&["threads"]);
    let pid = child.pid;
    let reaped = child.reap();
    let ended = (before, Wall::now());
    assert_eq!(reaped.exit_code, Some(9));
    // Of 200 ms, some of it in the kernel, by queries of the time.
    let used = reaped.user + reaped.system;
    assert!(used.as_millis() > 150, "four threads used {used:?}");
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    compare::exit(&mut findings, &exit, ended, &reaped);
    findings.conclude();
}
