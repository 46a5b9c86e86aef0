//! The connects of one process against the stream: each is there once, with its ends, its times, its process and its result.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use collector_tests::{
    agent::Run,
    community_id::{TCP, UDP, community_id},
    compare::{self, CLOCK_TOLERANCE, Life},
    events::Event,
    findings::Findings,
    truth::clock::Wall,
};
use serde_json::{Value, json};

use super::attempts::{Attempt, Kind, on_the_wire};

/// One process that connected.
pub(crate) struct Made {
    pub(crate) kind: Kind,
    pub(crate) life: Life,
    pub(crate) args: Vec<Vec<u8>>,
    pub(crate) ended: Wall,
    pub(crate) attempts: Vec<Attempt>,
}

/// All connects of one process: each that it made, with its result, in the order in which it made them.
pub(crate) fn check(findings: &mut Findings, run: &Run, made: &Made) {
    let in_life = |event: &&std::sync::Arc<Event>| {
        event.timestamp().is_some_and(|at| at.is_between(made.life.exec_after, made.ended, CLOCK_TOLERANCE))
    };
    let of = |action| {
        run.of(made.life.pid, action).into_iter().filter(|event| in_life(&event)).collect::<Vec<_>>()
    };
    let (connects, results) = (of("connect"), of("connect-result"));
    let count = |count: usize, expected: usize| (count == expected, format!("{:?}: {count}", made.kind));
    let (right, example) = count(connects.len(), made.attempts.len());
    findings.require("(as many connects as were made)", right, || example);
    let expected_results = if made.kind.is_tcp() { made.attempts.len() } else { 0 };
    let (right, example) = count(results.len(), expected_results);
    findings.require("(as many results as TCP connects)", right, || example);
    let execs = run.of(made.life.pid, "exec");
    let exec = execs.iter().find(in_life);
    for (attempt, connect) in made.attempts.iter().zip(&connects) {
        check_ends(findings, connect, attempt);
        check_time(findings, connect, attempt);
        check_process(findings, connect, made, attempt);
        if let Some(exec) = exec {
            compare::same_identity(findings, exec, connect);
        }
        if !made.kind.is_tcp() {
            continue;
        }
        let result = results.iter().find(|event| event.number_at("connection.id") == Some(attempt.cookie));
        findings.require("(the result of a connect)", result.is_some(), || format!("{attempt:?}"));
        if let Some(result) = result {
            check_ends(findings, result, attempt);
            check_result(findings, result, attempt);
            compare::same_identity(findings, connect, result);
        }
    }
    findings.require("(exec of a process that connects)", exec.is_some(), || format!("{:?}", made.kind));
}

fn check_ends(findings: &mut Findings, event: &Event, attempt: &Attempt) {
    let whose = format!("{} of {:?}", event.action(), attempt.request);
    let (source, destination) = (attempt.source(), on_the_wire(attempt.request.destination));
    let mut equal = |path: &str, expected: Option<Value>| {
        findings.equal(path, &whose, event.at(path), expected.as_ref());
    };
    let is_tcp = attempt.request.kind.is_tcp();
    equal("destination.ip", Some(json!(destination.ip().to_string())));
    equal("destination.port", Some(json!(destination.port())));
    equal("source.ip", source.map(|source| json!(source.ip().to_string())));
    equal("source.port", attempt.source_port().map(Value::from));
    equal("network.transport", Some(json!(if is_tcp { "tcp" } else { "udp" })));
    equal("network.type", Some(json!(if destination.is_ipv4() { "ipv4" } else { "ipv6" })));
    equal("network.direction", Some(json!("egress")));
    let protocol = if is_tcp { TCP } else { UDP };
    let id = source.map(|source| json!(community_id(source, destination, protocol)));
    equal("network.community_id", id);
    equal("network.kernel_connection", None);
    equal("connection.id", Some(json!(attempt.cookie)));
    if source.is_none() {
        let why = ["source", "source.ip"].iter().find_map(|field| event.missing(field));
        findings
            .require("capture.missing (of a source)", why == Some("unbound"), || format!("{whose}: {why:?}"));
    }
}

fn check_time(findings: &mut Findings, event: &Event, attempt: &Attempt) {
    let (early, late) = attempt.when;
    let in_time = event.timestamp().is_some_and(|at| at.is_between(early, late, CLOCK_TOLERANCE));
    findings.require("@timestamp (of a connect)", in_time, || {
        format!("{}: not in {early} to {late}", event.text)
    });
}

fn check_process(findings: &mut Findings, event: &Event, made: &Made, attempt: &Attempt) {
    compare::identity(findings, event, &made.life);
    compare::strings(findings, event, "process.args", &made.args);
    let thread = json!(attempt.thread);
    findings.equal("process.thread.id", &event.text, event.at("process.thread.id"), Some(&thread));
}

fn check_result(findings: &mut Findings, event: &Event, attempt: &Attempt) {
    let refused = attempt.request.is_refused();
    let whose = format!("{:?}", attempt.request);
    let outcome = json!(if refused { "failure" } else { "success" });
    findings.equal("event.outcome", &whose, event.at("event.outcome"), Some(&outcome));
    let code = refused.then(|| json!("ECONNREFUSED"));
    findings.equal("error.code", &whose, event.at("error.code"), code.as_ref());
    let duration = event.number_at("event.duration").unwrap_or(0);
    findings.require("event.duration", duration > 0 && duration <= attempt.took_ns, || {
        format!("{whose}: {duration} ns, and it took {} to the end", attempt.took_ns)
    });
}

/// Nobody else connects to the ends of this test, so the whole stream must have just these connects to them.
pub(crate) fn check_count(findings: &mut Findings, run: &Run, made: &[Made], expected: usize) {
    let attempts: usize = made.iter().map(|one| one.attempts.len()).sum();
    assert_eq!(attempts, expected);
    let ends: Vec<(String, u64)> = made
        .iter()
        .flat_map(|one| &one.attempts)
        .map(|attempt| on_the_wire(attempt.request.destination))
        .map(|end| (end.ip().to_string(), end.port().into()))
        .collect();
    let to_ends = |event: &Event| {
        let end = (event.text_at("destination.ip"), event.number_at("destination.port"));
        matches!(end, (Some(ip), Some(port)) if ends.contains(&(ip.to_owned(), port)))
    };
    let all: usize = run.of_action("connect").filter(|event| to_ends(event)).count();
    findings.require("(connects in the whole stream)", all == expected, || format!("{all}"));
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    assert!(ends.iter().all(|(ip, _)| loopback.iter().any(|address| address.to_string() == *ip)));
}
