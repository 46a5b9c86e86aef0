//! Lives that are not one exec and one exit of a leader: threads that exec, a second image in one process, failed
//! execs, leaders that end first, a PID namespace, a directory that is gone, arguments beyond any limit.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by a panic")]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use collector_tests::{
    agent::{Agent, Run},
    compare::{self, Life},
    events::Event,
    findings::Findings,
    live::{live_or_skip, scaled},
    stream_rules,
    truth::{
        clock::Wall,
        procfs::{self, Stat},
    },
    wait::until,
    workload::{
        images::Images,
        reap::Reaped,
        spawn::{Child, Plan},
    },
};
use serde_json::json;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

fn subject(images: &Images) -> Child {
    let mut child = Plan::of(images.path("subject").to_str().unwrap()).spawn();
    child.ready();
    child
}

/// Ends a child with `command`; the interval in which it ended, and how.
fn end(mut child: Child, command: &str) -> ((Wall, Wall), Reaped) {
    let before = Wall::now();
    child.tell(command);
    let reaped = child.reap();
    ((before, Wall::now()), reaped)
}

/// The records of a process, found by the id that the test computed.
fn of_entity(run: &Run, entity_id: &str, action: &str) -> Vec<Arc<Event>> {
    run.of_action(action)
        .filter(|event| event.text_at("process.entity_id") == Some(entity_id))
        .cloned()
        .collect()
}

/// A second image in one process, by its leader or by another thread: `verb` is the subject's command.
fn second_image(verb: &str) {
    let images = Images::new(SUBJECT);
    let second = images.copy("second image", 0o755).to_str().unwrap().replace("second image", "second");
    fs::rename(images.path("second image"), &second).unwrap();
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = subject(&images);
    let first = Life::of(&child);
    let exec_after = Wall::now();
    child.tell(&format!("{verb} {second} with two"));
    child.ready();
    let life = Life { exec_after, ..Life::of(&child) };
    let pid = child.pid;
    let (ended, reaped) = end(child, "exit 42");
    agent.wait_for_all(pid, "exit", 1);
    for exec in agent.wait_for_all(pid, "exec", 2) {
        agent.wait_for_digests(&exec);
    }
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    assert_eq!(first.entity_id(), life.entity_id(), "an exec does not make a process");
    let (execs, exits) =
        (of_entity(&run, life.entity_id(), "exec"), of_entity(&run, life.entity_id(), "exit"));
    findings.require("(an exec for each image, one exit)", (execs.len(), exits.len()) == (2, 1), || {
        format!("{} execs, {} exits", execs.len(), exits.len())
    });
    let ([one, two], [exit]) = (&execs[..], &exits[..]) else { return findings.conclude() };
    let args = [&*second, "with", "two"].map(|arg| arg.as_bytes().to_vec());
    compare::identity(&mut findings, one, &first);
    // A machine that is busy is told the digests later.
    let later = of_entity(&run, life.entity_id(), "checksums");
    let later = later.iter().find(|event| event.text_at("process.exec_id") == two.text_at("process.exec_id"));
    for event in [two, exit] {
        compare::identity(&mut findings, event, &life);
        compare::strings(&mut findings, event, "process.args", &args);
        compare::digests(&mut findings, event, later.map(|later| &**later), &images.subject.hashes);
    }
    compare::exec(&mut findings, two, &life, &[]);
    compare::exit(&mut findings, exit, ended, &reaped);
    compare::same_identity(&mut findings, two, exit);
    let differ = one.text_at("process.exec_id") != two.text_at("process.exec_id");
    findings.require("process.exec_id (of its own for each image)", differ, || &two.text);
    findings.conclude();
}

#[test]
fn a_second_exec_is_a_new_image_of_the_same_process() {
    if live_or_skip() {
        second_image("exec");
    }
}

#[test]
fn an_exec_by_another_thread_than_the_leader_is_the_process_s() {
    if live_or_skip() {
        second_image("exec-in-thread");
    }
}

/// A process of which an event comes before the start-up scan has told of it and of its parent.
#[test]
fn ancestors_are_whole_though_processes_came_and_went_while_the_agent_started() {
    if !live_or_skip() {
        return;
    }
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

#[test]
fn an_exec_that_fails_is_not_told() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = subject(&images);
    let life = Life::of(&child);
    for path in ["/nonexistent", "/etc/passwd", "/tmp"] {
        child.tell(&format!("exec {path}"));
        assert!(child.answer().starts_with("failed"));
    }
    let pid = child.pid;
    end(child, "exit 0");
    agent.wait_for_all(pid, "exit", 1);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let execs = of_entity(&run, life.entity_id(), "exec");
    findings.require("(only the exec that succeeded)", execs.len() == 1, || execs.len());
    findings.conclude();
}

/// The leader ends, and some time later the last thread does, by `last_words`.
fn leader_leaves(last_words: &str) {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = subject(&images);
    let life = Life::of(&child);
    child.tell("leader-leaves");
    until("a leader that has ended", || (Stat::read(child.pid)?.state == 'Z').then_some(()));
    let pid = child.pid;
    let (ended, reaped) = end(child, last_words);
    agent.wait_for_all(pid, "exit", 1);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let exits = of_entity(&run, life.entity_id(), "exit");
    findings.require("(one exit)", exits.len() == 1, || exits.len());
    for exit in &exits {
        // Not before the last thread's end, and with the code that wait4(2) tells.
        compare::exit(&mut findings, exit, ended, &reaped);
        compare::identity(&mut findings, exit, &life);
    }
    findings.conclude();
}

#[test]
fn a_process_ends_with_its_last_thread_and_the_code_of_exit_group() {
    if live_or_skip() {
        leader_leaves("exit 7");
    }
}

#[test]
fn a_process_whose_threads_end_one_by_one_has_the_code_of_its_leader() {
    if live_or_skip() {
        leader_leaves("thread-exit 5");
    }
}

#[test]
fn a_process_in_a_pid_namespace_of_its_own_has_both_its_ids() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let unshare = fs::canonicalize("/usr/bin/unshare").unwrap();
    let path = images.path("subject");
    let args = [unshare.to_str().unwrap(), "--pid", "--fork", path.to_str().unwrap(), "inside"];
    let plan = Plan { args: args.map(|arg| arg.as_bytes().to_vec()).to_vec(), ..Plan::of(args[0]) };
    let mut outside = plan.spawn();
    outside.ready();
    let is_inside = |pid: &u32| Stat::read(*pid).is_some_and(|stat| stat.ppid == outside.pid);
    let pid = procfs::pids().into_iter().find(is_inside).unwrap();
    assert_eq!(procfs::status(pid, "NSpid"), [pid.to_string(), "1".to_owned()]);
    let facts = collector_tests::truth::process::facts(pid);
    outside.tell("exit 3");
    let reaped = outside.reap();
    assert_eq!(reaped.exit_code, Some(3), "unshare ends as its child does");
    agent.wait_for_all(pid, "exit", 1);
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    for action in ["exec", "exit"] {
        let events = of_entity(&run, facts["process.entity_id"].as_str().unwrap(), action);
        findings.require("(once)", events.len() == 1, || format!("{action}: {}", events.len()));
        for event in &events {
            for (path, expected) in &facts {
                findings.equal(path, action, event.at(path), Some(expected));
            }
            findings.equal("process.vpid", action, event.at("process.vpid"), Some(&json!(1)));
        }
    }
    findings.conclude();
}

#[test]
fn a_working_directory_that_is_gone_has_its_name_and_no_more() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let gone = images.subdirectory("gone");
    let mut child =
        Plan { directory: gone.clone(), ..Plan::of(images.path("subject").to_str().unwrap()) }.spawn();
    child.ready();
    fs::remove_dir(&gone).unwrap();
    // It stays there over a second exec, at which the directory has no name any more.
    let path = images.path("subject");
    child.tell(&format!("exec {} again", path.display()));
    child.ready();
    let link = fs::read_link(procfs::file(child.pid, "cwd")).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("{} (deleted)", gone.display()));
    let execs = agent.wait_for_all(child.pid, "exec", 2);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for exec in &execs {
        let told = exec.at("process.working_directory");
        findings.equal("process.working_directory", &exec.text, told, Some(&json!(gone)));
    }
    findings.conclude();
}

#[test]
fn arguments_beyond_the_limit_are_all_there_or_their_full_size_is_told() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let args: Vec<Vec<u8>> = (0..3_000).map(|index| format!("{index:0>99}").into_bytes()).collect();
    let full_size: usize = args.iter().map(|arg| arg.len() + 1).sum();
    let plan = Plan { args: args.clone(), ..Plan::of(images.path("subject").to_str().unwrap()) };
    let mut child = plan.spawn();
    child.ready();
    assert_eq!(procfs::strings(child.pid, "cmdline").unwrap(), args);
    let exec = agent.wait_for(child.pid, "the exec", |event| event.action() == "exec");
    drop(child);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let truncated = exec.at("capture.truncated").and_then(|fields| fields.get("process.args")).cloned();
    let kept = if truncated.is_some() { 64 * 1024 / 100 } else { args.len() };
    let told = exec.at("process.args").and_then(|args| args.as_array()).cloned().unwrap_or_default();
    let args: Vec<_> = args.iter().map(|arg| json!(str::from_utf8(arg).unwrap())).collect();
    findings.require(
        "process.args (a beginning of them)",
        told.len() >= kept && told[..kept] == args[..kept],
        || format!("{} of {}, of which {kept} were to be kept", told.len(), args.len()),
    );
    let expected = json!(full_size);
    findings.require("capture.truncated", truncated.is_none_or(|size| size == expected), || full_size);
    findings.conclude();
}
