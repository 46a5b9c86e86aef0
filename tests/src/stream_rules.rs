//! What holds for every stream as a whole, whatever happened: its first and last record, its order, its counters, and
//! the machine-readable schema for each line.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{
    agent,
    events::Event,
    findings::Findings,
    truth::{clock::Wall, procfs},
};

/// `event.action`, and the kind, category and type that go with it.
const ACTIONS: [(&str, &str, &[&str], &[&str]); 10] = [
    ("agent-start", "state", &["host"], &["info"]),
    ("snapshot", "state", &["process"], &["info"]),
    ("fork", "event", &["process"], &["start"]),
    ("exec", "event", &["process"], &["start"]),
    ("exit", "event", &["process"], &["end"]),
    ("connect", "event", &["network"], &["connection", "start"]),
    ("connect-result", "event", &["network"], &["connection", "info"]),
    ("checksums", "event", &["process"], &["info"]),
    ("loss", "pipeline_error", &["host"], &["info"]),
    ("agent-stop", "state", &["host"], &["info"]),
];

/// The schema that `collector schema` prints.
///
/// # Panics
///
/// When it prints no schema.
pub fn validator() -> &'static Validator {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let output = agent::command(&["schema"]).output().unwrap();
        assert!(output.status.success(), "collector schema: {}", String::from_utf8_lossy(&output.stderr));
        let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
        jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("collector schema: {error}"))
    })
}

/// All of the rules, over a whole stream from `agent-start` to `agent-stop`.
pub fn check(events: &[Arc<Event>]) -> Findings {
    let mut findings = Findings::new();
    for (index, event) in events.iter().enumerate() {
        check_line(&mut findings, event);
        check_place(&mut findings, event, index);
        check_fields(&mut findings, event);
    }
    check_ids(&mut findings, events);
    check_order(&mut findings, events);
    check_starts(&mut findings, events);
    check_counters(&mut findings, events);
    findings
}

fn check_line(findings: &mut Findings, event: &Event) {
    findings.require("(a line is a JSON object)", event.value.is_object(), || &event.text);
    findings.equal("schema", &event.text, event.at("schema"), Some(&json!("collector/1.0")));
    findings.require("@timestamp", event.timestamp().is_some(), || &event.text);
    let complaints: Vec<String> = validator()
        .iter_errors(&event.value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    findings.require("(the schema)", complaints.is_empty(), || format!("{complaints:?} in {}", event.text));
    let row = ACTIONS.iter().find(|row| row.0 == event.action());
    findings.require("event.action", row.is_some(), || &event.text);
    if let Some((_, kind, category, kinds)) = row {
        findings.equal("event.kind", &event.text, event.at("event.kind"), Some(&json!(kind)));
        findings.equal("event.category", &event.text, event.at("event.category"), Some(&json!(category)));
        findings.equal("event.type", &event.text, event.at("event.type"), Some(&json!(kinds)));
    }
}

fn check_place(findings: &mut Findings, event: &Event, index: usize) {
    findings.equal("event.sequence", &event.text, event.at("event.sequence"), Some(&json!(index + 1)));
    let boot = procfs::boot_id();
    findings.equal("host.boot.id", &event.text, event.at("host.boot.id"), Some(&json!(boot)));
    let id = event.text_at("event.id").unwrap_or_default();
    let parts: Vec<&str> = id.split(':').collect();
    let well_formed = parts.len() == 3
        && parts[0] == boot
        && parts[1].parse::<u64>().is_ok()
        && parts[2].parse() == Ok(index + 1);
    findings.require("event.id", well_formed, || &event.text);
}

/// Which fields only some actions have.
fn check_fields(findings: &mut Findings, event: &Event) {
    let action = event.action();
    for (field, on) in [
        ("process.env_vars", &["exec", "snapshot"][..]),
        ("process.exit_code", &["exit"]),
        ("process.exit", &["exit"]),
        ("process.end", &["exit"]),
        ("process.uptime", &["exit"]),
        ("process.usage", &["exit"]),
        ("counters", &["agent-stop"]),
        ("loss", &["loss"]),
        ("network", &["connect", "connect-result"]),
        ("destination", &["connect", "connect-result"]),
        ("event.outcome", &["connect-result"]),
        ("event.duration", &["connect-result"]),
    ] {
        findings.require(
            &format!("{field} (only on {on:?})"),
            on.contains(&action) || event.at(field).is_none(),
            || &event.text,
        );
    }
    let short = event.text_at("process.comm").is_none_or(|comm| comm.len() <= 15);
    findings
        .require("process.comm (at most 15 bytes)", short || event.text.contains('\u{fffd}'), || &event.text);
    if event.at("process.is_kernel").is_some() {
        for field in ["executable", "args", "env_vars", "hash"] {
            let absent = event.at(&format!("process.{field}")).is_none();
            findings.require(&format!("process.{field} (not of a kernel task)"), absent, || &event.text);
        }
    }
}

fn check_ids(findings: &mut Findings, events: &[Arc<Event>]) {
    let ids: HashSet<_> = events.iter().filter_map(|event| event.text_at("event.id")).collect();
    findings.require("event.id (unique)", ids.len() == events.len(), || {
        format!("{} of {}", ids.len(), events.len())
    });
    let starts: HashSet<_> = ids.iter().filter_map(|id| id.split(':').nth(1)).collect();
    findings.require("event.id (one start)", starts.len() == 1, || format!("{starts:?}"));
}

/// Nothing comes after a process's exit, and `agent-start` and `agent-stop` are where they must be.
fn check_order(findings: &mut Findings, events: &[Arc<Event>]) {
    let ends = |event: Option<&Arc<Event>>| event.map_or("nothing", |event| event.action()).to_owned();
    findings.require("(first record)", ends(events.first()) == "agent-start", || ends(events.first()));
    findings.require("(last record)", ends(events.last()) == "agent-stop", || ends(events.last()));
    for action in ["agent-start", "agent-stop"] {
        let count = events.iter().filter(|event| event.action() == action).count();
        findings.require(&format!("({action} once)"), count == 1, || count);
    }
    let mut exits: HashMap<&str, &Event> = HashMap::new();
    for event in events {
        let Some(entity) = event.text_at("process.entity_id") else { continue };
        // The result of a connect and a late digest may come after the exit of their process.
        if !matches!(event.action(), "connect-result" | "checksums") {
            let earlier = exits.get(entity);
            findings.require("(nothing after the exit)", earlier.is_none(), || {
                format!("{} after {}", event.text, earlier.map_or("", |exit| &exit.text))
            });
        }
        if event.action() == "exit" {
            exits.insert(entity, event);
        }
    }
}

/// A process has one start: in its own records and wherever it is a parent or an ancestor.
fn check_starts(findings: &mut Findings, events: &[Arc<Event>]) {
    let mut starts: HashMap<&str, (Wall, &Event)> = HashMap::new();
    for event in events {
        let Some(process) = event.at("process") else { continue };
        let ancestors = process.get("ancestors").and_then(Value::as_array).into_iter().flatten();
        for reported in [Some(process), process.get("parent")].into_iter().flatten().chain(ancestors) {
            let text = |field| reported.get(field).and_then(Value::as_str);
            let (Some(entity), Some(start)) = (text("entity_id"), text("start").and_then(Wall::parse)) else {
                continue;
            };
            let (first, by) = *starts.entry(entity).or_insert((start, event));
            findings.require("start (one for each entity_id)", start.0 == first.0, || {
                format!("{entity}: {first} in {}, {start} in {}", by.text, event.text)
            });
        }
    }
}

/// For each action: seen = written + filtered + lost, lost = the sum of its reasons, written = lines in the stream.
fn check_counters(findings: &mut Findings, events: &[Arc<Event>]) {
    let mut written: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        *written.entry(event.action()).or_default() += 1;
    }
    let stop = events.last().map(|event| event.value.clone()).unwrap_or_default();
    let Some(counters) = stop.get("counters").and_then(Value::as_object) else {
        findings.require("counters", false, || "agent-stop has none");
        return;
    };
    for action in ["fork", "exec", "exit", "connect", "connect-result"] {
        findings.require("counters (of each action)", counters.contains_key(action), || action);
    }
    for (action, of) in counters {
        let number = |name| of.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX);
        let by_reason: u64 = of
            .get("lost_by_reason")
            .and_then(Value::as_object)
            .map_or(0, |reasons| reasons.values().filter_map(Value::as_u64).sum());
        let sum = number("written").wrapping_add(number("filtered")).wrapping_add(number("lost"));
        findings.require("counters (seen = written + filtered + lost)", number("seen") == sum, || {
            format!("{action}: {of}")
        });
        findings.require("counters (lost = its reasons)", number("lost") == by_reason, || {
            format!("{action}: {of}")
        });
        let unseen = of.get("ended_unseen").and_then(Value::as_u64).unwrap_or(0);
        findings.require("counters (lost is no less than ended_unseen)", unseen <= number("lost"), || {
            format!("{action}: {of}")
        });
        let lines = written.get(action.as_str()).copied().unwrap_or(0);
        findings.require("counters (written = lines)", number("written") == lines, || {
            format!("{action}: {of}, and {lines} lines")
        });
    }
}

/// How many events of these actions were lost, as the last record says.
pub fn lost(events: &[Arc<Event>], actions: &[&str]) -> u64 {
    let Some(stop) = events.last() else { return u64::MAX };
    actions.iter().map(|action| stop.number_at(&format!("counters.{action}.lost")).unwrap_or(u64::MAX)).sum()
}
