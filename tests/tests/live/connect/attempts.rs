//! Nine kinds of connection, and what the stream must say of each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use collector_tests::{
    agent::Run,
    community_id::{TCP, UDP, community_id},
    compare::{self, CLOCK_TOLERANCE, Life},
    events::Event,
    findings::Findings,
    truth::clock::Wall,
    workload::listeners::{Family, Refusing, accepting, receiving},
};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp4,
    Tcp6,
    TcpMapped,
    Refused4,
    Refused6,
    NonBlocking,
    Udp,
    UdpBound,
    Datagram,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Tcp4,
        Self::Tcp6,
        Self::TcpMapped,
        Self::Refused4,
        Self::Refused6,
        Self::NonBlocking,
        Self::Udp,
        Self::UdpBound,
        Self::Datagram,
    ];

    pub(crate) fn is_tcp(self) -> bool {
        !matches!(self, Self::Udp | Self::UdpBound | Self::Datagram)
    }

    /// Those that are not of one family take turns.
    fn family(self, number: usize) -> Family {
        match self {
            Self::Tcp4 | Self::Refused4 => Family::V4,
            Self::Tcp6 | Self::Refused6 => Family::V6,
            Self::TcpMapped => Family::Mapped,
            Self::NonBlocking | Self::Udp | Self::UdpBound | Self::Datagram => {
                [Family::V4, Family::V6, Family::Mapped][number % 3]
            }
        }
    }
}

/// Where connections lead to.
pub(crate) struct Ends {
    accepting: [u16; 2],
    refusing: [Refusing; 2],
    receiving: [UdpSocket; 2],
}

/// What the subject is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    kind: Kind,
    /// As the socket is given it: an IPv4-mapped one is of IPv6.
    destination: SocketAddr,
    /// As the socket is bound before, if it is.
    bind: Option<SocketAddr>,
    by_thread: bool,
}

impl Ends {
    pub(crate) fn new() -> Self {
        let both = [Family::V4, Family::V6];
        Self {
            accepting: both.map(accepting),
            refusing: both.map(|family| Refusing::new(family).unwrap()),
            receiving: both.map(receiving),
        }
    }

    pub(crate) fn request(&self, kind: Kind, number: usize) -> Request {
        let family = kind.family(number);
        let index = usize::from(family == Family::V6);
        let port = match kind {
            Kind::Tcp4 | Kind::Tcp6 | Kind::TcpMapped | Kind::NonBlocking => self.accepting[index],
            Kind::Refused4 | Kind::Refused6 => self.refusing[index].port,
            Kind::Udp | Kind::UdpBound | Kind::Datagram => self.receiving[index].local_addr().unwrap().port(),
        };
        // A refused socket forgets the port that it was given at the connect, so it is bound to one before.
        let bound = match kind {
            Kind::Refused4 | Kind::Refused6 | Kind::UdpBound => true,
            Kind::Tcp4 | Kind::Tcp6 | Kind::TcpMapped | Kind::NonBlocking => number % 4 == 1,
            Kind::Udp => false,
            Kind::Datagram => number % 2 == 1,
        };
        Request {
            kind,
            destination: (family.loopback(), port).into(),
            bind: bound.then(|| (family.loopback(), 0).into()),
            by_thread: number % 5 == 3,
        }
    }
}

impl Request {
    pub(crate) fn command(&self) -> String {
        let protocol = match self.kind {
            Kind::Udp | Kind::UdpBound => "udp",
            // The second datagram to the same peer is not a new connection.
            Kind::Datagram => "datagram",
            _ => "tcp",
        };
        let mut command = format!("connect {protocol} {}", self.destination);
        if let Some(address) = self.bind {
            command.push_str(" bind=");
            command.push_str(&address.to_string());
        }
        for (word, wanted) in [
            ("nonblocking", self.kind == Kind::NonBlocking),
            ("again", self.kind == Kind::Datagram),
            ("thread", self.by_thread),
        ] {
            if wanted {
                command.push(' ');
                command.push_str(word);
            }
        }
        command
    }

    fn is_refused(&self) -> bool {
        matches!(self.kind, Kind::Refused4 | Kind::Refused6)
    }
}

/// What the subject did, as it told.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    request: Request,
    /// The local end, where it was known before the connect.
    bound: Option<SocketAddr>,
    /// The local end afterwards.
    local: SocketAddr,
    cookie: u64,
    thread: u64,
    took_ns: u64,
    when: (Wall, Wall),
}

impl Attempt {
    pub(crate) fn new(request: Request, answer: &str, when: (Wall, Wall)) -> Self {
        let words: Vec<&str> = answer.split(' ').collect();
        let [errno, bound, local, cookie, thread, took_ns] = words[..] else {
            panic!("the subject answered {answer:?}")
        };
        let expected_errno = match request.kind {
            Kind::Refused4 | Kind::Refused6 => libc_errno::ECONNREFUSED,
            Kind::NonBlocking => libc_errno::EINPROGRESS,
            _ => 0,
        };
        assert_eq!(errno.parse(), Ok(expected_errno), "{request:?}");
        Self {
            request,
            bound: bound.parse().ok(),
            local: local.parse().unwrap(),
            cookie: cookie.parse().unwrap(),
            thread: thread.parse().unwrap(),
            took_ns: took_ns.parse().unwrap(),
            when,
        }
    }

    /// The local end that the stream must tell: of TCP always, of UDP where it was bound before.
    fn source(&self) -> Option<SocketAddr> {
        let known = if self.request.kind.is_tcp() && !self.request.is_refused() {
            Some(self.local)
        } else {
            self.bound
        };
        known.map(on_the_wire)
    }

    /// A socket that sends its first datagram has got its port just before, but no address.
    fn source_port(&self) -> Option<u16> {
        let has_got_one = self.request.kind == Kind::Datagram;
        self.source().map(|source| source.port()).or(has_got_one.then(|| self.local.port()))
    }
}

/// The errnos of this architecture.
mod libc_errno {
    pub(super) const ECONNREFUSED: i32 = rustix::io::Errno::CONNREFUSED.raw_os_error();
    pub(super) const EINPROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
}

/// One process that connected.
pub(crate) struct Made {
    pub(crate) kind: Kind,
    pub(crate) life: Life,
    pub(crate) args: Vec<Vec<u8>>,
    pub(crate) ended: Wall,
    pub(crate) attempts: Vec<Attempt>,
}

/// An IPv4-mapped address is written as IPv4.
fn on_the_wire(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(ip) => {
            let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
            SocketAddr::new(ip, address.port())
        }
        IpAddr::V4(_) => address,
    }
}

/// All connects of one process: as many as it made, each with its result, and in the order in which it made them.
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
