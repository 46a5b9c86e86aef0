//! The identity of a process: its terminal, its login, its user for access to files, its credentials at a connect, its ids in a
//! PID namespace.

use std::{fs, net::TcpListener, sync::Arc};

use collector_tests::{
    agent::{Agent, Run},
    events::Event,
    live::live_test,
    stream_rules,
    truth::procfs::{self, Stat},
    workload::{images::Images, spawn::Plan, storm::USER},
};
use serde_json::json;

use crate::programs::{SUBJECT, lineage, pid_answered, state};

/// Runs the subject in a state; the records of its exec and its exit, and what /proc said of it.
fn subject_in(words: &[&str]) -> (Run, [Arc<Event>; 2], Stat, String) {
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = state(words);
    child.ready();
    let pid = child.pid;
    let (stat, login) =
        (Stat::read(pid).unwrap(), fs::read_to_string(format!("/proc/{pid}/loginuid")).unwrap());
    child.send("exit 3");
    child.reap();
    let events = [("exec", 2), ("exit", 1)]
        .map(|(action, count)| agent.wait_for_all(pid, action, count).pop().unwrap());
    (agent.stop().expect_success(), events, stat, login)
}

#[live_test]
fn a_controlling_terminal_is_reported_by_its_device() {
    let images = Images::new(SUBJECT);
    let (run, events, stat, _) = subject_in(&["terminal", images.path("subject").to_str().unwrap()]);
    let device = u64::try_from(stat.tty).unwrap();
    let (major, minor) = (libc::major(device), libc::minor(device));
    assert_eq!(major, 136, "a terminal of /dev/pts");
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let expected = json!({"char_device": {"major": major, "minor": minor}});
        findings.equal("process.tty", event.action(), event.at("process.tty"), Some(&expected));
        let leader = event.number_at("process.session_leader.pid");
        findings.require("process.session_leader.pid", leader == event.pid(), || &event.text);
    }
    findings.conclude();
}

#[live_test]
fn a_login_is_reported_with_its_session() {
    let images = Images::new(SUBJECT);
    let user = USER.to_string();
    let (run, events, _, login) = subject_in(&["login", &user, images.path("subject").to_str().unwrap()]);
    assert_eq!(login, user);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let reported = event.at("process.audit.login_uid");
        findings.equal("process.audit.login_uid", event.action(), reported, Some(&json!(USER)));
        let session = event.number_at("process.audit.session");
        findings.require("process.audit.session", session.is_some_and(|session| session > 0), || &event.text);
    }
    findings.conclude();
}

#[live_test]
fn a_user_for_access_to_files_is_reported_where_it_differs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let agent = Agent::start(&["--event", "exec,exit,connect"]);
    let child = state(&["fs-user", &listener.local_addr().unwrap().to_string()]);
    let pid = child.pid;
    child.reap();
    let [exec, connect, exit] =
        ["exec", "connect", "exit"].map(|action| agent.wait_for_all(pid, action, 1).remove(0));
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in [&connect, &exit] {
        for field in ["process.fs_user.id", "process.fs_group.id"] {
            findings.equal(field, event.action(), event.at(field), Some(&json!(USER.to_string())));
        }
        findings.equal("process.user.id", event.action(), event.at("process.user.id"), Some(&json!("0")));
    }
    findings.equal("process.fs_user", "exec", exec.at("process.fs_user"), None);
    findings.conclude();
}

#[live_test]
fn a_connect_has_the_credentials_of_its_own_time_and_not_those_of_the_fork() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let agent = Agent::start(&["--event", "fork,exit,connect"]);
    let mut parent = lineage(&["other-user", &address.to_string()]);
    let pid = pid_answered(&mut parent);
    let of = |action| agent.wait_for_all(pid, action, 1).remove(0);
    let (fork, events) = (of("fork"), ["connect", "connect-result", "exit"].map(of));
    parent.send("");
    parent.reap();
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    findings.equal("process.user.id", "fork", fork.at("process.user.id"), Some(&json!("0")));
    for event in &events {
        for noun in ["user", "real_user", "saved_user", "group", "real_group", "saved_group"] {
            let field = format!("process.{noun}.id");
            let user = json!(USER.to_string());
            findings.equal(&field, event.action(), event.at(&field), Some(&user));
        }
        for set in ["effective", "permitted"] {
            let field = format!("process.thread.capabilities.{set}");
            let reported = event.at(&field).and_then(|reported| reported.as_array()).map_or(0, Vec::len);
            findings.require(&field, reported == 0, || &event.text);
        }
    }
    findings.equal("process.exit_code", "exit", events[2].at("process.exit_code"), Some(&json!(0)));
    findings.conclude();
}

#[live_test]
fn a_process_in_a_pid_namespace_of_its_own_has_both_its_ids() {
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
    outside.send("exit 3");
    let reaped = outside.reap();
    assert_eq!(reaped.exit_code, Some(3), "unshare ends as its child does");
    agent.wait_for_all(pid, "exit", 1);
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    for action in ["exec", "exit"] {
        let events = run.of_entity(facts["process.entity_id"].as_str().unwrap(), action);
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
