//! Parents and ancestors: long lines of them, orphans, siblings by `CLONE_PARENT`, processes that started before the agent.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use collector_tests::{
    agent::Agent,
    compare::{self, Life},
    events::Event,
    findings::Findings,
    live::{live_test, scaled},
    stream_rules,
    truth::{
        process::{Ancestor, ancestors},
        procfs,
    },
    workload::{images::Images, reap, spawn::Plan},
};
use serde_json::json;

use crate::programs::{LINEAGE, SUBJECT, lineage, pid_answered, subject};

/// Runs a subject below `words`, and compares its line with /proc's on its exec and on its exit.
fn line_of(words: &[&str], least: usize) {
    let images = Images::new(SUBJECT);
    let subject = images.path("subject");
    let words = [words, &[subject.to_str().unwrap()]].concat();
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut first = lineage(&words);
    let pid = pid_answered(&mut first);
    first.ready();
    let truth = ancestors(pid);
    assert!(truth.len() >= least, "{} ancestors", truth.len());
    // Not the pid alone: it may have had a life before, which ended otherwise.
    let entity_id = procfs::entity_id(pid).unwrap();
    let is_its = |event: &Event, action| {
        event.action() == action && event.text_at("process.entity_id") == Some(&entity_id)
    };
    let exec = agent.wait_for(pid, "the exec", |event| is_its(event, "exec"));
    first.send("exit 4");
    let exit = agent.wait_for(pid, "the exit", |event| is_its(event, "exit"));
    first.reap();
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    check_line(&mut findings, &exec, &truth);
    check_line(&mut findings, &exit, &truth);
    findings.equal("process.exit_code", "exit", exit.at("process.exit_code"), Some(&json!(4)));
    findings.conclude();
}

#[live_test]
fn a_hundred_nested_parents_are_reported_by_the_nearest_and_their_number() {
    line_of(&["chain", "100"], 101);
}

#[live_test]
fn sixty_nested_parents_are_all_reported() {
    line_of(&["chain", "50"], 51);
}

#[live_test]
fn the_parent_of_an_orphan_is_the_process_that_adopted_it() {
    line_of(&["orphans", "20"], 1);
}

#[live_test]
fn an_orphan_below_a_subreaper_is_a_child_of_the_subreaper() {
    line_of(&["reaper", "20"], 2);
}

/// Parent and ancestors, as /proc had them; of a long line the nearest 64, and how many there are.
pub(crate) fn check_line(findings: &mut Findings, event: &Event, truth: &[Ancestor]) {
    let reported =
        event.at("process.ancestors").and_then(|reported| reported.as_array()).cloned().unwrap_or_default();
    let cut = event.at("capture.truncated").and_then(|fields| fields.get("process.ancestors"));
    let full = (truth.len() > 64).then(|| json!(truth.len()));
    findings.equal("capture.truncated", &event.text, cut, full.as_ref());
    findings.require("process.ancestors (how many)", reported.len() == truth.len().min(64), || {
        format!("{} of {}: {}", reported.len(), truth.len(), event.text)
    });
    for (place, (reported, truth)) in reported.iter().zip(truth).enumerate() {
        for (field, expected) in &truth.fields {
            let whose = format!("ancestor {place}");
            findings.equal(
                &format!("process.ancestors[].{field}"),
                &whose,
                reported.get(field),
                Some(expected),
            );
        }
    }
    for field in ["pid", "entity_id", "comm", "executable"] {
        let reported = event.at(&format!("process.parent.{field}"));
        findings.equal(&format!("process.parent.{field}"), &event.text, reported, truth[0].fields.get(field));
    }
}

/// An event of a process may come before the start-up scan has reported it and its parent.
#[live_test]
fn ancestors_are_complete_although_processes_come_and_go_while_the_agent_starts() {
    let images = Images::new(SUBJECT);
    let started = AtomicBool::new(false);
    let mut findings = Findings::new();
    for _ in 0..scaled(10) {
        started.store(false, Ordering::Relaxed);
        let agent = thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !started.load(Ordering::Relaxed) {
                        Plan::of("/bin/true").spawn().reap();
                    }
                });
            }
            let agent = Agent::start(&["--event", "exec"]);
            started.store(true, Ordering::Relaxed);
            agent
        });
        let child = subject(&images);
        let life = Life::of(&child);
        let exec = agent.wait_for(child.pid, "the exec", |event| {
            event.text_at("process.entity_id") == Some(life.entity_id()) && event.action() == "exec"
        });
        compare::line_of_ancestors(&mut findings, &exec, &life);
        drop(child);
        findings.add(stream_rules::check(&agent.stop().expect_success().events));
    }
    findings.conclude();
}

/// `CLONE_PARENT`: the kernel says whose child it is, and that one has never had its image.
#[live_test]
fn a_process_that_was_cloned_as_a_sibling_has_the_image_of_its_cloner() {
    let agent = Agent::start(&["--event", "fork,exec,exit"]);
    let mut cloner = lineage(&["clone-parent"]);
    let pid = pid_answered(&mut cloner);
    assert_eq!(reap::reap(pid).exit_code, Some(33));
    let fork = agent.wait_for_all(pid, "fork", 1).remove(0);
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let cloner_s = agent.wait_for(cloner.pid, "the exec", |event| event.action() == "exec");
    cloner.send("");
    cloner.reap();
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in [&fork, &exit] {
        for field in ["executable", "exe", "args", "args_count", "working_directory", "comm", "user"] {
            let field = format!("process.{field}");
            findings.equal(&field, event.action(), event.at(&field), cloner_s.at(&field));
        }
        for field in ["pid", "entity_id", "executable"] {
            let field = format!("process.parent.{field}");
            findings.equal(&field, event.action(), event.at(&field), cloner_s.at(&field));
        }
        let own = json!(std::process::id());
        findings.equal("process.parent.pid", event.action(), event.at("process.parent.pid"), Some(&own));
        let args = json!([LINEAGE, "clone-parent"]);
        findings.equal("process.args", event.action(), event.at("process.args"), Some(&args));
        let origin = event.origin("process.executable");
        findings.require("capture.origin", origin == Some("parent"), || format!("{origin:?}"));
    }
    findings.equal("process.exit_code", "exit", exit.at("process.exit_code"), Some(&json!(33)));
    findings.conclude();
}
