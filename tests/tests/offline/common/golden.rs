//! Golden files: the events of a fixture as they were accepted.
//!
//! They are accepted by `UPDATE_GOLDEN=1 cargo test -p collector-tests --test replay` and a look at the difference,
//! never written by hand.

use std::{env, fs, path::Path};

use collector::event::{Action, Event};
use serde_json::{Value, json};

/// The time of the agent's own events, which are those of the replay and not of the recording.
const NO_TIME: &str = "1970-01-01T00:00:00.000000000Z";
/// The version of the agent is not what these files are about.
const NO_VERSION: &str = "0.0.0";

/// The lines of a golden file.
pub(crate) fn read(path: &Path) -> Vec<Value> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether golden files are written rather than compared with.
pub(crate) fn is_update() -> bool {
    env::var_os("UPDATE_GOLDEN").is_some()
}

/// Compares events with a golden file, or accepts them.
#[track_caller]
pub(crate) fn check(events: &[Event], path: &Path) {
    let found = lines(events);
    if is_update() {
        let mut lines: Vec<String> = found.iter().map(Value::to_string).collect();
        lines.push(String::new());
        fs::write(path, lines.join("\n")).unwrap();
        return;
    }
    let differences = differences(&read(path), &found);
    assert!(
        differences.is_empty(),
        "{} differs (UPDATE_GOLDEN=1 accepts):\n{}",
        path.display(),
        differences.join("\n")
    );
}

/// Events as lines, without what differs between two replays of one recording.
pub(crate) fn lines(events: &[Event]) -> Vec<Value> {
    events.iter().map(line).collect()
}

fn line(event: &Event) -> Value {
    let mut line = serde_json::to_value(event).unwrap();
    if matches!(event.action(), Action::AgentStart | Action::AgentStop | Action::Loss) {
        line["@timestamp"] = json!(NO_TIME);
    }
    if event.agent.is_some() {
        line["agent"]["version"] = json!(NO_VERSION);
    }
    line
}

/// Each place where two streams differ, as `line 3 (exec) process.args[1]: expected …, found …`.
pub(crate) fn differences(expected: &[Value], found: &[Value]) -> Vec<String> {
    let mut differences = Vec::new();
    for index in 0..expected.len().max(found.len()) {
        let side = |lines: &[Value]| lines.get(index).cloned().unwrap_or(Value::Null);
        let (expected, found) = (side(expected), side(found));
        let action = [&found, &expected].into_iter().find_map(|line| line["event"]["action"].as_str());
        let place = format!("line {} ({}) ", index + 1, action.unwrap_or("?"));
        compare(&place, "", &expected, &found, &mut differences);
    }
    differences
}

fn compare(place: &str, path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let side =
                    |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or(Value::Null);
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(place, &path, &side(left), &side(right), differences);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(place, &format!("{path}[{index}]"), left, right, differences);
            }
        }
        (left, right) if left == right => {}
        (left, right) => {
            differences.push(format!("{place}{path}: expected {}, found {}", shown(left), shown(right)));
        }
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}
