//! States that processes are seldom in, and what the stream says of them: a terminal, a login, another user for access to
//! files, secrets among the arguments, threads and leaders that are not what they seem.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by a panic")]

use std::{fs, net::TcpListener, sync::Arc};

use collector_tests::{
    agent::{Agent, Run},
    compare,
    events::Event,
    findings::Findings,
    live::{live_or_skip, scaled_to},
    stream_rules,
    truth::procfs::{self, Stat},
    wait::until,
    workload::{
        images::Images,
        spawn::{Child, Plan},
        storm::USER,
    },
};
use serde_json::{Value, json};

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
const STATE: &str = env!("CARGO_BIN_EXE_state");

fn state(words: &[&str]) -> Child {
    let mut plan = Plan::of(STATE);
    plan.args.extend(words.iter().map(|word| word.as_bytes().to_vec()));
    plan.spawn()
}

/// Runs the subject in a state; the records of its exec and its exit, and what /proc said of it.
fn subject_in(words: &[&str]) -> (Run, [Arc<Event>; 2], Stat, String) {
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = state(words);
    child.ready();
    let pid = child.pid;
    let (stat, login) =
        (Stat::read(pid).unwrap(), fs::read_to_string(format!("/proc/{pid}/loginuid")).unwrap());
    child.tell("exit 3");
    child.reap();
    let events = [("exec", 2), ("exit", 1)]
        .map(|(action, count)| agent.wait_for_all(pid, action, count).pop().unwrap());
    (agent.stop().expect_success(), events, stat, login)
}

#[test]
fn a_controlling_terminal_is_told_by_its_device() {
    if !live_or_skip() {
        return;
    }
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

#[test]
fn a_login_is_told_with_its_session() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let user = USER.to_string();
    let (run, events, _, login) = subject_in(&["login", &user, images.path("subject").to_str().unwrap()]);
    assert_eq!(login, user);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let told = event.at("process.audit.login_uid");
        findings.equal("process.audit.login_uid", event.action(), told, Some(&json!(USER)));
        let session = event.number_at("process.audit.session");
        findings.require("process.audit.session", session.is_some_and(|session| session > 0), || &event.text);
    }
    findings.conclude();
}

#[test]
fn a_user_for_access_to_files_is_told_where_it_is_another() {
    if !live_or_skip() {
        return;
    }
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

/// Row 13: not in the environment, the arguments, the command line, nor as the parent's on a child's records.
#[test]
fn a_secret_is_nowhere_in_the_stream_and_that_it_was_there_is_told() {
    const SECRET: &str = "hunter2";
    if !live_or_skip() {
        return;
    }
    let agent = Agent::start(&["--event", "exec,exit"]);
    let words =
        ["sh", "-c", "/bin/true; exit 0", "--password=?", "--Api-Key", "?", "-token", "?", "db://me:?@db/"];
    let entries = ["DB_PASSWORD=?", "plain=1", "github_token=?"];
    let filled = |words: &[&str]| -> Vec<Vec<u8>> {
        words.iter().map(|word| word.replace('?', SECRET).into_bytes()).collect()
    };
    let plan = Plan { args: filled(&words), env: filled(&entries), ..Plan::of("/bin/sh") };
    let child = plan.spawn();
    let pid = child.pid;
    child.reap();
    let [exec, exit] = ["exec", "exit"].map(|action| agent.wait_for_all(pid, action, 1).remove(0));
    let below = agent.wait_for_any("the child's exec", |event| {
        event.action() == "exec" && event.number_at("process.parent.pid") == Some(pid.into())
    });
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let leak = run.events.iter().find(|event| event.text.contains(SECRET));
    findings.require("(the secret is not in the stream)", leak.is_none(), || &leak.unwrap().text);
    let places = |name: &str| [3, 5, 7, 8].map(|place| format!("{name}[{place}]"));
    let env = [0, 2].map(|place| format!("process.env_vars[{place}]"));
    let of_exec: Vec<_> = places("process.args").into_iter().chain(env).collect();
    for (event, expected) in [
        (&exec, json!(of_exec)),
        (&exit, json!(places("process.args"))),
        (&below, json!(places("process.parent.args"))),
    ] {
        let mut told: Vec<&Value> = event
            .at("capture.redacted")
            .and_then(Value::as_array)
            .map(|told| told.iter().collect())
            .unwrap_or_default();
        // The child has its parent's environment.
        told.retain(|place| event.pid() == Some(pid.into()) || !place.as_str().unwrap().contains("env"));
        findings.equal("capture.redacted", event.action(), Some(&json!(told)), Some(&expected));
    }
    let shown = exec.at("process.args").and_then(|args| args.get(8));
    findings.equal("process.args[8]", "exec", shown, Some(&json!("db://me:[redacted]@db/")));
    findings.conclude();
}

/// Row 1: another thread could change what is read at the entry of the system call.
#[test]
fn arguments_that_another_thread_changes_meanwhile_are_those_that_the_program_got() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let mut findings = Findings::new();
    for _ in 0..scaled_to(50, 10) {
        let mut child = state(&["racing", images.path("subject").to_str().unwrap()]);
        child.ready();
        let got = procfs::strings(child.pid, "cmdline").unwrap();
        let exec = agent.wait_for_all(child.pid, "exec", 2).remove(1);
        compare::strings(&mut findings, &exec, "process.args", &got);
    }
    findings.add(stream_rules::check(&agent.stop().expect_success().events));
    findings.conclude();
}

/// Row 2: a table of 256 was full.
#[test]
fn of_hundreds_of_processes_that_live_at_once_each_exit_is_told() {
    if !live_or_skip() {
        return;
    }
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

/// Row 10: /proc shows such a process as a zombie with empty maps, and it is none.
#[test]
fn a_connect_of_a_process_whose_leader_has_ended_is_not_the_kernel_s() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let agent = Agent::start(&["--event", "exec,connect"]);
    let mut child = Plan::of(images.path("subject").to_str().unwrap()).spawn();
    child.ready();
    child.tell("leader-leaves");
    until("a leader that has ended", || (Stat::read(child.pid)?.state == 'Z').then_some(()));
    assert!(fs::read(procfs::file(child.pid, "maps")).map_or(true, |maps| maps.is_empty()));
    child.tell(&format!("connect tcp {}", listener.local_addr().unwrap()));
    assert!(child.answer().starts_with("0 "));
    let events =
        ["connect", "connect-result"].map(|action| agent.wait_for_all(child.pid, action, 1).remove(0));
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        for field in ["network.kernel_connection", "process.is_kernel"] {
            findings.equal(field, event.action(), event.at(field), None);
        }
        let executable = json!(images.path("subject"));
        findings.equal(
            "process.executable",
            event.action(),
            event.at("process.executable"),
            Some(&executable),
        );
        let thread = event.number_at("process.thread.id");
        findings.require("process.thread.id", thread.is_some() && thread != event.pid(), || &event.text);
    }
    findings.conclude();
}

/// Row 14.
#[test]
fn a_second_exec_after_a_chdir_is_told_with_the_new_directory() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let subject = images.path("subject");
    let (one, two) = (images.subdirectory("one"), images.subdirectory("two (deleted)"));
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = Plan { directory: one.clone(), ..Plan::of(subject.to_str().unwrap()) }.spawn();
    child.ready();
    child.tell(&format!("chdir {}", two.display()));
    assert_eq!(child.answer(), "changed");
    child.tell(&format!("exec {}", subject.display()));
    child.ready();
    child.tell("exit 0");
    let pid = child.pid;
    child.reap();
    let execs = agent.wait_for_all(pid, "exec", 2);
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for (event, directory) in [(&execs[0], &one), (&execs[1], &two), (&exit, &two)] {
        let told = event.at("process.working_directory");
        findings.equal("process.working_directory", event.action(), told, Some(&json!(directory)));
    }
    findings.conclude();
}
