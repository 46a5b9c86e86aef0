//! Process ids that are used again: no life of a pid is taken for another.

use std::{io::ErrorKind, thread, time::Duration};

use collector_tests::{
    agent::Agent,
    compare::{self, Life},
    events::Event,
    live::live_test,
    stream_rules,
    truth::{clock::Wall, process::ancestors, procfs},
    wait::until,
    workload::{
        images::Images,
        reap,
        spawn::{Child, Plan},
        storm::USER,
        tiny,
    },
};
use serde_json::json;

use crate::ancestry::check_line;
use crate::programs::{SUBJECT, lineage, pid_answered};

/// Spawns a child that has the process id of one that is gone. Not in the tick of the id's last life: by its specification
/// the CPID of both would be the same.
fn spawn_as(pid: u32, plan: &Plan) -> Child {
    thread::sleep(Duration::from_millis(11));
    let plan = Plan { pid: Some(pid), ..plan.clone() };
    // Another process may have been given the id meanwhile, and ends.
    until("a process id that is free", || match plan.try_spawn() {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
        child => Some(child.unwrap()),
    })
}

/// Rows 3, 7, 14 and 20: what is remembered of a pid is not said of its next life.
#[live_test(alone)]
fn a_pid_that_is_used_again_shows_nothing_of_its_other_lives() {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut pid = 0;
    let mut lives = Vec::new();
    for number in 0_u8..20 {
        let image = images.copy(&format!("life-{}", number % 5), 0o755);
        let mut plan = Plan::of(image.to_str().unwrap());
        plan.args.extend((0..number).map(|word| format!("{number}-{word}").into_bytes()));
        plan.env = (0..number).map(|entry| format!("LIFE_{entry}={number}").into_bytes()).collect();
        plan.directory = images.subdirectory(&format!("directory-{}", number % 3));
        plan.user = (number % 4 == 1).then_some(USER);
        let mut child = if number == 0 { plan.spawn() } else { spawn_as(pid, &plan) };
        pid = child.pid;
        child.ready();
        let life = Life::of(&child);
        let exec = agent.wait_for(pid, "the exec", |event| {
            event.action() == "exec" && event.text_at("process.entity_id") == Some(life.entity_id())
        });
        agent.wait_for_digests(&exec);
        let before = Wall::now();
        child.send(&format!("exit {number}"));
        let reaped = child.reap();
        lives.push((plan, life, (before, Wall::now()), reaped));
    }
    agent.wait_for_all(pid, "exit", lives.len());
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for (plan, life, ended, reaped) in &lives {
        let (execs, exits) =
            (run.of_entity(life.entity_id(), "exec"), run.of_entity(life.entity_id(), "exit"));
        findings.require("(one exec, one exit)", (execs.len(), exits.len()) == (1, 1), || {
            format!("{} and {}", execs.len(), exits.len())
        });
        for event in execs.iter().chain(&exits) {
            compare::identity(&mut findings, event, life);
            compare::strings(&mut findings, event, "process.args", &plan.args);
            let directory = json!(plan.directory);
            let reported = event.at("process.working_directory");
            findings.equal("process.working_directory", &event.text, reported, Some(&directory));
        }
        for exec in &execs {
            compare::exec(&mut findings, exec, life, &plan.env);
        }
        for exit in &exits {
            compare::exit(&mut findings, exit, *ended, reaped);
        }
    }
    findings.conclude();
}

/// As above, in a PID namespace, where the host's pids differ.
#[live_test]
fn an_innermost_pid_that_is_used_again_is_another_process() {
    const LIVES: usize = 200;
    let images = Images::new(SUBJECT);
    let path = images.path("tiny");
    tiny::write(&path, &tiny::image(""));
    let agent = Agent::start(&["--event", "exec,exit"]);
    let child = lineage(&["inside", &LIVES.to_string(), path.to_str().unwrap()]);
    let outside = child.pid;
    assert_eq!(child.reap().exit_code, Some(0));
    agent.wait_for_all(outside, "exit", 1);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let executable = json!(path);
    let execs: Vec<_> =
        run.of_action("exec").filter(|event| event.at("process.executable") == Some(&executable)).collect();
    findings.require("(an exec for each life)", execs.len() == LIVES, || execs.len());
    for (number, exec) in execs.iter().enumerate() {
        let exits = run.of_entity(exec.text_at("process.entity_id").unwrap(), "exit");
        findings.require("(one exit)", exits.len() == 1, || format!("{}: {}", exits.len(), exec.text));
        let env = json!([number.to_string()]);
        findings.equal("process.env_vars", &exec.text, exec.at("process.env_vars"), Some(&env));
        for event in exits.iter().chain([*exec]) {
            let args = json!([executable, number.to_string()]);
            findings.equal("process.args", &event.text, event.at("process.args"), Some(&args));
            findings.equal("process.vpid", &event.text, event.at("process.vpid"), Some(&json!(2)));
            let parent = event.at("process.parent.args").and_then(|args| args.get(1));
            findings.equal("process.parent.args", &event.text, parent, Some(&json!("inside")));
        }
        let code = exits.first().and_then(|exit| exit.number_at("process.exit_code"));
        findings
            .require("process.exit_code", code == u64::try_from(number % 256).ok(), || format!("{code:?}"));
    }
    findings.conclude();
}

/// Rows 6 and 7: an orphan's parent is the process that took it over, not the one that has its parent's pid now.
#[live_test(alone)]
fn an_orphan_is_not_the_child_of_the_next_life_of_its_parent_s_pid() {
    let images = Images::new(SUBJECT);
    let subject = images.path("subject");
    let subject = subject.to_str().unwrap();
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut parent = lineage(&["orphans", "1", subject]);
    let orphan = pid_answered(&mut parent);
    parent.ready();
    let pid = parent.pid;
    assert_eq!(reap::reap(pid).exit_code, Some(0));
    let mut usurper = spawn_as(pid, &Plan::of(subject));
    usurper.ready();
    // Its exec is reported after that of the usurper.
    parent.send(&format!("exec {subject} again"));
    parent.ready();
    let truth = ancestors(orphan);
    assert_ne!(truth[0].fields["pid"], json!(pid));
    let entity_id = procfs::entity_id(orphan).unwrap();
    let is_its = |event: &Event, action| {
        event.action() == action && event.text_at("process.entity_id") == Some(&entity_id)
    };
    let again = agent.wait_for(orphan, "the second exec", |event| {
        is_its(event, "exec")
            && event.at("process.args").is_some_and(|args| args.to_string().contains("again"))
    });
    parent.send("exit 5");
    let exit = agent.wait_for(orphan, "the exit", |event| is_its(event, "exit"));
    drop(usurper);
    // It has been reaped, and its pid may be a stranger's now.
    std::mem::forget(parent);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in [&again, &exit] {
        check_line(&mut findings, event, &truth);
    }
    findings.conclude();
}
