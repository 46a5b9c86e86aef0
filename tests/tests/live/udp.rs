//! Datagrams of a socket that is not connected: one event for each peer, however many datagrams; the others are counted. The
//! agent remembers a limited number of peers.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use collector_common::UDP_PEERS_MAX;
use collector_tests::{file_agent::FileAgent, findings::Findings, live::live_test};
use rustix::net::sockopt::socket_cookie;
use serde_json::{Value, json};

/// Peers that are remembered for certain, and how often each is sent to.
const FEW: u32 = 1_000;

const TIMES: u32 = 3;

/// More than can be remembered.
const MANY: u32 = UDP_PEERS_MAX + 4_000;

/// Another address of loopback for each number. Nobody receives there.
fn peer(number: u32) -> SocketAddr {
    (Ipv4Addr::from(0x7f10_0000 + number), 9).into()
}

/// In portions that the agent writes out in between: this is not a test of its speed.
fn send(agent: &FileAgent, socket: &UdpSocket, numbers: std::ops::Range<u32>) {
    for number in numbers {
        if number % 2_000 == 0 {
            agent.catch_up();
        }
        // Refused by a host that was sent to before; the next one is sent all the same.
        let sent = socket.send_to(b"?", peer(number)).or_else(|_| socket.send_to(b"?", peer(number)));
        sent.unwrap();
    }
}

/// The events of one socket, and the counters.
struct Reported {
    /// How often each peer was reported.
    peers: HashMap<String, u32>,
    folded: u64,
    lost: u64,
}

/// The connects of the socket of this cookie.
fn read(stream: &[u8], cookie: u64, findings: &mut Findings) -> Reported {
    let mut reported = Reported { peers: HashMap::new(), folded: 0, lost: 0 };
    for line in str::from_utf8(stream).unwrap().lines() {
        let event: Value = line.parse().unwrap();
        if let Some(counters) = event.pointer("/counters/connect") {
            reported.folded = counters["folded"].as_u64().unwrap_or(0);
            reported.lost = counters["lost"].as_u64().unwrap();
        }
        if event.pointer("/connection/id") != Some(&json!(cookie)) {
            continue;
        }
        let ip = event.pointer("/destination/ip").and_then(Value::as_str).unwrap();
        *reported.peers.entry(ip.to_owned()).or_default() += 1;
        for (field, expected) in [
            ("/event/action", json!("connect")),
            ("/network/transport", json!("udp")),
            ("/destination/port", json!(9)),
            ("/process/pid", json!(std::process::id())),
        ] {
            findings.equal(field, ip, event.pointer(field), Some(&expected));
        }
    }
    reported
}

/// Runs `act` with a socket that is not connected; what the stream has of it.
fn of_a_socket(findings: &mut Findings, act: impl FnOnce(&FileAgent, &UdpSocket)) -> Reported {
    let agent = FileAgent::start(&["--event", "exec,exit,connect"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    act(&agent, &socket);
    agent.catch_up();
    read(&agent.stop(), socket_cookie(&socket).unwrap(), findings)
}

#[live_test(alone)]
fn each_peer_of_a_socket_is_reported_once_and_the_other_datagrams_are_counted() {
    let mut findings = Findings::new();
    let reported = of_a_socket(&mut findings, |agent, socket| {
        for _ in 0..TIMES {
            send(agent, socket, 0..FEW);
        }
    });
    let once = (0..FEW).all(|number| reported.peers.get(&peer(number).ip().to_string()) == Some(&1));
    findings.require(
        "(each peer once)",
        once && reported.peers.len() == usize::try_from(FEW).unwrap(),
        || reported.peers.len(),
    );
    // Others on this machine may send datagrams too.
    let folded = u64::from(FEW * (TIMES - 1));
    findings.require("counters.connect.folded", reported.folded >= folded, || reported.folded);
    findings.require("counters.connect.lost", reported.lost == 0, || reported.lost);
    findings.conclude();
}

#[live_test(alone)]
fn each_of_more_peers_than_are_remembered_is_reported_and_the_oldest_again() {
    let mut findings = Findings::new();
    let reported = of_a_socket(&mut findings, |agent, socket| {
        send(agent, socket, 0..MANY);
        send(agent, socket, 0..FEW);
        // The agent still remembers the last of them and does not report them again.
        send(agent, socket, MANY - 100..MANY);
    });
    let times = |number: u32| reported.peers.get(&peer(number).ip().to_string()).copied().unwrap_or(0);
    findings.require("(each peer)", (0..MANY).all(|number| times(number) > 0), || reported.peers.len());
    let again = (0..FEW).filter(|&number| times(number) == 2).count();
    findings.require("(the oldest are forgotten)", again > 500, || again);
    let kept = (MANY - 100..MANY).filter(|&number| times(number) == 1).count();
    findings.require("(the youngest are not)", kept == 100, || kept);
    findings.require("counters.connect.lost", reported.lost == 0, || reported.lost);
    findings.conclude();
}
