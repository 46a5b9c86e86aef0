//! Lives of one pid; each connects, and nothing of one is reported of another.

use std::{collections::HashMap, net::SocketAddr};

use collector_tests::findings::Findings;
use serde_json::{Value, json};

use super::{
    connections::Connections,
    maker::{Born, Maker},
    stream::Storm,
};

/// A life, and which of its records have come.
struct Life<'a> {
    born: &'a Born,
    execs: usize,
    exits: usize,
}

/// All of them.
pub(crate) struct Lives<'a> {
    by_entity: HashMap<&'a str, Life<'a>>,
    connections: Connections<'a>,
}

impl<'a> Lives<'a> {
    pub(crate) fn new(makers: &'a [Maker], open: SocketAddr, closed: SocketAddr) -> Self {
        let all = makers.iter().flat_map(|maker| &maker.born);
        let by_entity =
            all.map(|born| (born.entity_id.as_str(), Life { born, execs: 0, exits: 0 })).collect();
        Self { by_entity, connections: Connections::new(makers, open, closed) }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }
}

impl Storm for Lives<'_> {
    fn record(&mut self, findings: &mut Findings, action: &str, event: &Value) {
        if action.starts_with("connect") {
            return self.connections.record(findings, action, event);
        }
        let entity_id = event.pointer("/process/entity_id").and_then(Value::as_str);
        let Some(life) = entity_id.and_then(|id| self.by_entity.get_mut(id)) else { return };
        let number = life.born.number;
        let mut equal = |field: &str, expected: Value| {
            findings.equal(field, &number.to_string(), event.pointer(field), Some(&expected));
        };
        equal("/process/pid", json!(life.born.pid));
        match action {
            "exec" => {
                life.execs += 1;
                equal("/process/env_vars", json!([format!("NUMBER={number}")]));
            }
            "exit" => {
                life.exits += 1;
                equal("/process/exit_code", json!(number & 0xff));
            }
            _ => return,
        }
        equal("/process/args/1", json!("connect"));
        equal("/process/args/2", json!(number.to_string()));
        equal("/process/args_count", json!(5));
    }

    fn end(&mut self, findings: &mut Findings) {
        self.connections.end(findings);
        for life in self.by_entity.values() {
            findings.require("(one exec, one exit)", (life.execs, life.exits) == (1, 1), || {
                format!("{} and {} of {}", life.execs, life.exits, life.born.number)
            });
        }
    }
}
