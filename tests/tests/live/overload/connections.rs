//! Connects of processes that end at once against what these saw.

use std::{collections::HashMap, net::SocketAddr};

use collector_tests::findings::Findings;
use serde_json::{Value, json};

use super::{
    maker::{Born, Connect, Maker},
    stream::Storm,
};

/// A connect, and which of its two records have come.
struct Reported<'a> {
    connect: &'a Connect,
    born: &'a Born,
    maker: &'a Maker,
    begun: usize,
    ended: usize,
}

/// All of a storm.
pub(crate) struct Connections<'a> {
    by_cookie: HashMap<u64, Reported<'a>>,
    open: SocketAddr,
    closed: SocketAddr,
}

impl<'a> Connections<'a> {
    pub(crate) fn new(makers: &'a [Maker], open: SocketAddr, closed: SocketAddr) -> Self {
        let mut by_cookie = HashMap::new();
        for maker in makers {
            let by_number: HashMap<u32, &Born> = maker.born.iter().map(|born| (born.number, born)).collect();
            for connect in &maker.connects {
                let born = by_number[&connect.number];
                by_cookie.insert(connect.cookie, Reported { connect, born, maker, begun: 0, ended: 0 });
            }
        }
        Self { by_cookie, open, closed }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_cookie.len()
    }
}

impl Storm for Connections<'_> {
    fn record(&mut self, findings: &mut Findings, action: &str, event: &Value) {
        let to_the_storm = event.pointer("/destination/port").and_then(Value::as_u64).is_some_and(|port| {
            [self.open, self.closed].iter().any(|address| u64::from(address.port()) == port)
        });
        let cookie = event.pointer("/connection/id").and_then(Value::as_u64);
        let Some(reported) = cookie.and_then(|cookie| self.by_cookie.get_mut(&cookie)) else {
            return findings
                .require("(only connections that were made)", !to_the_storm, || event.to_string());
        };
        match action {
            "connect" => reported.begun += 1,
            "connect-result" => {
                findings.require("(a beginning before its end)", reported.begun == 1, || event.to_string());
                reported.ended += 1;
                check_result(findings, reported.connect, event);
            }
            _ => findings.require("event.action", false, || action.to_owned()),
        }
        check_owner(findings, reported, event);
    }

    fn end(&mut self, findings: &mut Findings) {
        for reported in self.by_cookie.values() {
            let results = usize::from(reported.connect.protocol == "tcp");
            findings.require(
                "(one connect, one result of TCP)",
                (reported.begun, reported.ended) == (1, results),
                || format!("{} and {}: {:?}", reported.begun, reported.ended, reported.connect),
            );
        }
    }
}

fn check_owner(findings: &mut Findings, reported: &Reported<'_>, event: &Value) {
    let Reported { connect, born, maker, .. } = reported;
    let whose = connect.number.to_string();
    let mut equal = |field: &str, expected: Value| {
        findings.equal(field, &whose, event.pointer(field), Some(&expected));
    };
    for (field, expected) in &maker.facts {
        equal(field, expected.clone());
    }
    equal("/process/entity_id", json!(born.entity_id));
    equal("/process/pid", json!(born.pid));
    equal("/process/args/1", json!("connect"));
    equal("/process/args/2", json!(connect.number.to_string()));
    equal("/process/user/id", json!("0"));
    let is_tcp = connect.protocol == "tcp";
    equal("/network/transport", json!(if is_tcp { "tcp" } else { "udp" }));
    equal("/destination/ip", json!("127.0.0.1"));
    equal("/destination/port", json!(connect.destination.port()));
    if is_tcp {
        equal("/source/ip", json!("127.0.0.1"));
    }
    // The kernel takes the address of a connect that failed away again, and chooses that of UDP's connect(2) later.
    if connect.errno == 0 && connect.protocol != "udp" {
        equal("/source/port", json!(connect.source.port()));
    }
}

fn check_result(findings: &mut Findings, connect: &Connect, event: &Value) {
    let refused = connect.errno == rustix::io::Errno::CONNREFUSED.raw_os_error();
    findings.require("(a truth of one kind)", refused || connect.errno == 0, || connect.errno);
    let outcome = json!(if refused { "failure" } else { "success" });
    let whose = connect.number.to_string();
    findings.equal("event.outcome", &whose, event.pointer("/event/outcome"), Some(&outcome));
    let code = refused.then(|| json!("ECONNREFUSED"));
    findings.equal("error.code", &whose, event.pointer("/error/code"), code.as_ref());
}
