//! Connections of nine kinds by known processes: each is reported once, with its addresses, its ports, its result, and the
//! process that made it. And the connection that the kernel opens by itself.

mod attempts;
mod check;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use collector_tests::{
    agent::Agent,
    community_id::{TCP, community_id},
    events::Event,
    findings::Findings,
    live::{live_test, needs, scaled},
    stream_rules,
    truth::{
        clock::Wall,
        procfs::{self, Stat},
    },
    wait::until,
    workload::{
        images::Images,
        netns::{CLIENT, Pair, SERVER},
        spawn::{Child, Plan},
    },
};
use serde_json::json;

use self::{
    attempts::{Attempt, Ends, Kind},
    check::{Made, check, check_count},
};
use crate::programs::SUBJECT;

const BATCHES: u32 = 10;

const BY_ONE_PROCESS: usize = 10;

#[live_test]
fn nine_hundred_connects_are_reported_once_with_the_right_ends_and_results() {
    let images = Images::new(SUBJECT);
    let ends = Ends::new();
    let agent = Agent::start(&["--event", "exec,exit,connect"]);
    let batches = usize::try_from(scaled(BATCHES)).unwrap();
    let mut made: Vec<Made> = Vec::new();
    for batch in 0..batches {
        for kind in Kind::ALL {
            made.push(connect_often(&images, &ends, kind, batch));
        }
    }
    for one in &made {
        let results = if one.kind.is_tcp() { BY_ONE_PROCESS } else { 0 };
        agent.wait_for_all(one.life.pid, "connect-result", results);
        agent.wait_for_all(one.life.pid, "connect", BY_ONE_PROCESS);
        agent.wait_for_all(one.life.pid, "exit", 1);
    }
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    let lost = stream_rules::lost(&run.events, &["connect", "connect-result"]);
    findings.require("(nothing is lost)", lost == 0, || format!("{lost} lost"));
    for one in &made {
        check(&mut findings, &run, one);
    }
    check_count(&mut findings, &run, &made, 9 * batches * BY_ONE_PROCESS);
    findings.conclude();
}

/// One process that connects ten times in one way and then exits at once.
fn connect_often(images: &Images, ends: &Ends, kind: Kind, batch: usize) -> Made {
    let plan = Plan {
        args: vec![b"connects".to_vec(), format!("{kind:?}").into()],
        env: vec![b"X=1".to_vec()],
        ..Plan::of(images.path("subject").to_str().unwrap())
    };
    let mut child = plan.spawn();
    child.ready();
    let life = collector_tests::compare::Life::of(&child);
    let attempts = (0..BY_ONE_PROCESS)
        .map(|number| {
            let request = ends.request(kind, batch * BY_ONE_PROCESS + number);
            let before = Wall::now();
            child.send(&request.command());
            let answer = child.answer();
            Attempt::new(request, &answer, (before, Wall::now()))
        })
        .collect();
    child.send("exit 0");
    child.reap();
    Made { kind, life, args: plan.args, ended: Wall::now(), attempts }
}

#[live_test]
fn a_connection_that_the_kernel_opens_by_itself_belongs_to_the_kernel() {
    needs::mptcp();
    let images = Images::new(SUBJECT);
    let network = Pair::new();
    let agent = Agent::start(&["--event", "connect"]);
    let subject = images.path("subject").to_str().unwrap().to_owned();
    let mut server = Plan { network: Some(network.server()), ..Plan::of(&subject) }.spawn();
    let mut client = Plan { network: Some(network.client()), ..Plan::of(&subject) }.spawn();
    server.ready();
    client.ready();
    server.send(&format!("serve mptcp {}:0", SERVER[0]));
    let listens: SocketAddr = server.answer().parse().unwrap();
    client.send(&format!("connect mptcp {listens}"));
    let answer = client.answer();
    assert!(answer.starts_with("0 "), "the MPTCP connect failed: {answer}");
    assert_eq!(server.answer(), "accepted");
    // The kernel opens more subflows once data has been acknowledged in both directions.
    for (one, other) in [(0, 1), (1, 0), (0, 1)] {
        let both = [&mut client, &mut server];
        both[one].send("say");
        both[other].send("hear");
        assert_eq!(both[other].answer(), "heard 1");
    }
    let source = subflow(&client, listens);
    let is_it = |event: &Event| event.text_at("source.ip") == Some(CLIENT[1]);
    let connect =
        agent.wait_for_any("the kernel's connect", |event| event.action() == "connect" && is_it(event));
    let result =
        agent.wait_for_any("the result of it", |event| event.action() == "connect-result" && is_it(event));
    let pid = u32::try_from(connect.pid().unwrap()).unwrap();
    let entity_id = procfs::entity_id(pid);
    drop((client, server));
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    let connects = run.of_action("connect").filter(|event| is_it(event)).count();
    findings.require("(one such connect)", connects == 1, || connects);
    for event in [&connect, &result] {
        kernel_connection(&mut findings, event, source, listens);
    }
    if entity_id.is_some() {
        let expected = json!(entity_id);
        findings.equal("process.entity_id", "the kworker", connect.at("process.entity_id"), Some(&expected));
    }
    let id = result.at("connection.id");
    findings.equal("connection.id (of the result)", "the result", id, connect.at("connection.id"));
    findings.equal("event.outcome", "the result", result.at("event.outcome"), Some(&json!("success")));
    let by_client = first_subflow(&run.events, listens);
    findings
        .require("(the first subflow is the process's)", by_client, || "connect of the client".to_owned());
    findings.conclude();
}

/// The second subflow, as the client's namespace lists it: the one from the second link's address.
fn subflow(client: &Child, destination: SocketAddr) -> SocketAddr {
    until("the second subflow in /proc/PID/net/tcp", || {
        let table = fs::read_to_string(procfs::file(client.pid, "net/tcp")).unwrap();
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (local, remote) = (address(fields[1]), address(fields[2]));
            let established = fields[3] == "01";
            (local.ip().to_string() == CLIENT[1] && remote == destination && established).then_some(local)
        })
    })
}

/// The kernel writes the four bytes of the address as one number in its own byte order, and the port as it is read.
fn address(hex: &str) -> SocketAddr {
    let (ip, port) = hex.split_once(':').unwrap();
    let ip = u32::from_str_radix(ip, 16).unwrap().to_ne_bytes();
    (ip, u16::from_str_radix(port, 16).unwrap()).into()
}

fn kernel_connection(findings: &mut Findings, event: &Event, source: SocketAddr, destination: SocketAddr) {
    let whose = event.action();
    for (path, expected) in [
        ("network.kernel_connection", json!(true)),
        ("process.is_kernel", json!(true)),
        ("network.transport", json!("tcp")),
        ("network.type", json!("ipv4")),
        ("network.direction", json!("egress")),
        ("network.community_id", json!(community_id(source, destination, TCP))),
        ("source.ip", json!(source.ip().to_string())),
        ("source.port", json!(source.port())),
        ("destination.ip", json!(destination.ip().to_string())),
        ("destination.port", json!(destination.port())),
    ] {
        findings.equal(path, whose, event.at(path), Some(&expected));
    }
    let comm = event.text_at("process.comm").unwrap_or_default();
    findings.require("process.comm", comm.starts_with("kworker"), || format!("{whose}: {comm:?}"));
    for field in ["executable", "args", "env_vars", "hash"] {
        let path = format!("process.{field}");
        findings.equal(&path, whose, event.at(&path), None);
    }
    for field in ["process.executable", "process.args"] {
        let reason = event.missing(field);
        findings.require(&format!("capture.missing[{field}]"), reason == Some("kernel_task"), || {
            format!("{whose}: {reason:?}")
        });
    }
}

/// The first subflow was connected by the client itself, so it must not be the kernel's.
fn first_subflow(events: &[Arc<Event>], destination: SocketAddr) -> bool {
    let is_first = |event: &&Arc<Event>| {
        event.action() == "connect"
            && event.text_at("source.ip") == Some(CLIENT[0])
            && event.number_at("destination.port") == Some(destination.port().into())
    };
    let connects: Vec<_> = events.iter().filter(is_first).collect();
    matches!(&connects[..], [one] if one.at("network.kernel_connection").is_none()
        && one.at("process.is_kernel").is_none()
        && one.text_at("process.name") == Some("subject"))
}

/// Row 10: /proc shows such a process as a zombie with empty maps, although it runs.
#[live_test]
fn a_connect_of_a_process_whose_leader_has_ended_is_not_the_kernel_s() {
    let images = Images::new(SUBJECT);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let agent = Agent::start(&["--event", "exec,connect"]);
    let mut child = Plan::of(images.path("subject").to_str().unwrap()).spawn();
    child.ready();
    child.send("leader-leaves");
    until("a leader that has ended", || (Stat::read(child.pid)?.state == 'Z').then_some(()));
    assert!(fs::read(procfs::file(child.pid, "maps")).map_or(true, |maps| maps.is_empty()));
    child.send(&format!("connect tcp {}", listener.local_addr().unwrap()));
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
