//! The wall clock is stepped, by a day to and fro, while the agent runs: what happens afterwards has the new time, and nothing
//! else moves: ids, the order, durations.
//!
//! For guests of `cargo xtask vm` alone: another machine's clock is not this test's to step.

use std::{
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use collector_tests::{
    agent::Agent,
    events::Event,
    findings::Findings,
    live::{live_test, needs},
    stream_rules,
    truth::{
        clock::{Wall, boot_now_ns},
        procfs,
    },
    workload::spawn::{Child, Plan},
};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use serde_json::json;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

const DAY: i64 = 86_400;

/// The clock of the agent and that of the test are read one after the other, in a guest that may be held up.
const TOLERANCE: Duration = Duration::from_millis(20);

fn step(seconds: i64) {
    let now = clock_gettime(ClockId::Realtime);
    let then = Timespec { tv_sec: now.tv_sec + seconds, tv_nsec: now.tv_nsec };
    clock_settime(ClockId::Realtime, then).unwrap();
}

/// What was done, and between which moments of the wall clock.
struct Done<T> {
    early: Wall,
    what: T,
    late: Wall,
}

fn timed<T>(work: impl FnOnce() -> T) -> Done<T> {
    let early = Wall::now();
    let what = work();
    Done { early, what, late: Wall::now() }
}

fn spawn() -> Child {
    let mut child = Plan::of(SUBJECT).spawn();
    child.ready();
    child
}

/// A connection on loopback, at once.
fn connect() -> (u16, std::ops::Range<i128>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let begun = boot_now_ns();
    drop(TcpStream::connect(address).unwrap());
    (address.port(), begun..boot_now_ns())
}

fn check_time<T>(findings: &mut Findings, event: &Event, done: &Done<T>) {
    let time = event.timestamp().unwrap();
    findings.require("@timestamp", time.is_between(done.early, done.late, TOLERANCE), || {
        format!("not from {} to {}: {}", done.early, done.late, event.text)
    });
}

/// One process and one connection under this clock, and the end of one that began under another.
fn check_after_a_step(findings: &mut Findings, agent: &Agent, before: Child) -> Child {
    let entity_id = procfs::entity_id(before.pid).unwrap();
    let pid = before.pid;
    let ended = timed(|| {
        let mut before = before;
        before.send("exit 3");
        before.reap()
    });
    let exit = agent.wait_for(pid, "the exit", |event| event.action() == "exit");
    let exec = agent.wait_for(pid, "the exec", |event| event.action() == "exec");
    check_time(findings, &exit, &ended);
    findings.equal("process.exit_code", "exit", exit.at("process.exit_code"), Some(&json!(3)));
    findings.equal("process.entity_id", "exit", exit.at("process.entity_id"), Some(&json!(entity_id)));
    // Reported in one way for life, by the clock under which it began.
    for field in ["entity_id", "exec_id", "start", "parent.start"] {
        let path = format!("process.{field}");
        findings.equal(&path, "exit", exit.at(&path), exec.at(&path));
    }
    let uptime = exit.number_at("process.uptime").unwrap();
    findings.require("process.uptime", uptime < 600, || exit.text.clone());
    let child = timed(spawn);
    let next = agent.wait_for(child.what.pid, "the exec", |event| event.action() == "exec");
    check_time(findings, &next, &child);
    let connected = timed(connect);
    check_connection(findings, agent, &connected);
    child.what
}

fn check_connection(findings: &mut Findings, agent: &Agent, connected: &Done<(u16, std::ops::Range<i128>)>) {
    let (port, while_ns) = &connected.what;
    let of_port = |event: &Event, action| {
        event.action() == action && event.number_at("destination.port") == Some((*port).into())
    };
    for action in ["connect", "connect-result"] {
        let event = agent.wait_for_any(action, |event| of_port(event, action));
        check_time(findings, &event, connected);
        if let Some(duration) = event.number_at("event.duration") {
            let most = while_ns.end - while_ns.start;
            findings.require("event.duration", i128::from(duration) <= most, || event.text.clone());
        }
    }
}

/// Times since boot go on as ever, so the records are in the order of these.
fn check_order(findings: &mut Findings, events: &[Arc<Event>], pids: &[u32]) {
    let place = |pid: u32, action: &str| {
        let is_it = |event: &Arc<Event>| event.action() == action && event.pid() == Some(pid.into());
        events.iter().position(is_it)
    };
    for pair in pids.windows(2) {
        let (exit, exec) = (place(pair[0], "exit"), place(pair[1], "exec"));
        findings.require("order", exit.is_some() && exit < exec, || format!("{pair:?}: {exit:?} {exec:?}"));
    }
}

#[live_test(alone)]
fn a_step_of_the_wall_clock_changes_the_times_that_follow_and_nothing_else() {
    needs::guest();
    let agent = Agent::start(&["--event", "exec,exit,connect"]);
    let mut findings = Findings::default();
    let mut child = spawn();
    let mut pids = vec![child.pid];
    for seconds in [DAY, -2 * DAY, DAY] {
        step(seconds);
        child = check_after_a_step(&mut findings, &agent, child);
        pids.push(child.pid);
    }
    child.send("exit 3");
    child.reap();
    let run = agent.stop().expect_success();
    check_order(&mut findings, &run.events, &pids);
    stream_rules::check(&run.events).conclude();
    findings.conclude();
}
