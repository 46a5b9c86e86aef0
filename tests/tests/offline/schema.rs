//! docs/SCHEMA.md, the JSON Schema and the stream say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use collector::event::{Action, LossReason, SCHEMA, json_schema};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::common::{fixture::files, golden};

/// A row of a table of the page.
struct Row {
    cells: Vec<String>,
    /// What the names of its section begin with.
    prefix: &'static str,
}

/// The rows of all tables whose first column has this header.
fn rows(header: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SCHEMA.md");
    let text = fs::read_to_string(path).unwrap();
    let mut rows = Vec::new();
    let mut prefix = "";
    let (mut wanted, mut in_table) = (false, false);
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            prefix = if heading.starts_with("`process`") { "process." } else { "" };
        }
        if !line.starts_with('|') {
            in_table = false;
        } else if !in_table {
            (wanted, in_table) = (line.starts_with(&format!("| {header} |")), true);
        } else if wanted && !line.starts_with("|---") {
            let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
            rows.push(Row { cells, prefix });
        }
    }
    rows
}

/// The names in backticks of a cell.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Every field that SCHEMA.md names in a table.
fn documented_fields() -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for Row { cells, prefix } in rows("field") {
        fields.extend(names(&cells[0]).map(|name| format!("{prefix}{name}").replace("<action>", "*")));
    }
    fields
}

/// Follows references and leaves the null of an optional field out.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolved(root, root.pointer(reference.trim_start_matches('#')).unwrap());
    }
    match schema["anyOf"].as_array() {
        Some(choices) => resolved(root, choices.iter().find(|choice| choice["type"] != "null").unwrap()),
        None => schema,
    }
}

/// Every field that has no fields, by its path.
fn leaves(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = resolved(root, schema);
    let has_fields = |schema: &Value| resolved(root, schema)["properties"].is_object();
    if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            leaves(root, field, &path, found);
        }
    } else if has_fields(&schema["items"]) {
        leaves(root, &schema["items"], &format!("{path}[]"), found);
    } else if has_fields(&schema["additionalProperties"]) {
        leaves(root, &schema["additionalProperties"], &format!("{path}.*"), found);
    } else {
        found.insert(path.to_owned());
    }
}

fn validator() -> Validator {
    jsonschema::validator_for(&json_schema().to_value()).unwrap()
}

/// The first record of an action in the fixtures.
#[track_caller]
fn example(action: &str) -> Value {
    let mut lines = files(".golden.jsonl").into_iter().flat_map(|path| golden::read(&path));
    lines
        .find(|line| line["event"]["action"] == action)
        .unwrap_or_else(|| panic!("no {action} in the fixtures"))
}

/// Refuses a record that was good before this change of one place in it.
#[track_caller]
fn check_refused(action: &str, pointer: &str, value: Value) {
    let mut document = example(action);
    assert!(validator().is_valid(&document), "{document}");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value;
    assert!(!validator().is_valid(&document), "{pointer} = {}", document.pointer(pointer).unwrap());
}

#[test]
fn every_field_of_the_page_is_in_the_schema_and_the_other_way_round() {
    let root = json_schema().to_value();
    let mut schema = BTreeSet::new();
    leaves(&root, &root, "", &mut schema);
    let page = documented_fields();
    assert!(page.len() > 100, "the tables of the page were not found");
    let only_page: Vec<_> = page.difference(&schema).collect();
    let only_schema: Vec<_> = schema.difference(&page).collect();
    assert!(only_page.is_empty() && only_schema.is_empty(), "page: {only_page:?}, schema: {only_schema:?}");
}

#[test]
fn the_table_of_actions_is_that_of_the_code() {
    let page: BTreeMap<String, Value> = rows("`event.action`")
        .iter()
        .map(|Row { cells: row, .. }| {
            let list = |cell: &str| serde_json::from_str::<Value>(cell).unwrap();
            let action = names(&row[0]).next().unwrap().to_owned();
            (action, json!({ "kind": row[1], "category": list(&row[2]), "type": list(&row[3]) }))
        })
        .collect();
    let code = Action::ALL.iter().map(|action| {
        let (kind, category, types) = (action.kind(), action.category(), action.types());
        (action.name().to_owned(), json!({ "kind": kind, "category": category, "type": types }))
    });
    assert_eq!(page, code.collect());
}

#[test]
fn the_reasons_of_a_loss_are_those_of_the_code() {
    let page: Vec<Value> =
        rows("`loss.reason`").iter().map(|row| json!(names(&row.cells[0]).next())).collect();
    assert_eq!(json!(page), json!(LossReason::ALL));
    let schema = json_schema().to_value();
    let variants = schema["$defs"]["LossReason"]["oneOf"].as_array().unwrap();
    assert_eq!(page, variants.iter().map(|variant| variant["const"].clone()).collect::<Vec<_>>());
}

#[test]
fn the_reasons_of_an_absent_field_are_those_of_the_schema() {
    let rows = rows("reason in `capture.missing`");
    let page: BTreeSet<&str> = rows.iter().map(|row| names(&row.cells[0]).next().unwrap()).collect();
    let schema = json_schema().to_value();
    let pattern =
        schema["$defs"]["Reason"]["pattern"].as_str().unwrap().replace("io:[A-Z0-9]+", "io:<ERRNO>");
    assert_eq!(page, pattern.trim_matches(['^', '$', '(', ')']).split('|').collect());
}

#[test]
fn every_line_of_the_fixtures_is_as_the_schema_says() {
    let validator = validator();
    for path in files(".golden.jsonl") {
        for (index, line) in golden::read(&path).iter().enumerate() {
            let errors: Vec<String> = validator
                .iter_errors(line)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert_eq!(errors, [""; 0], "{}:{}", path.display(), index + 1);
        }
    }
}

#[test]
fn the_fixtures_have_every_action_that_a_recording_can_have() {
    for action in
        ["agent-start", "snapshot", "fork", "exec", "exit", "connect", "connect-result", "agent-stop"]
    {
        assert_eq!(example(action)["schema"], SCHEMA);
    }
}

#[test]
fn a_field_that_is_not_in_the_schema_is_refused() {
    check_refused("exec", "/surprise", json!(1));
    check_refused("exec", "/event/severity", json!(1));
    check_refused("exec", "/process/ppid", json!(1));
    check_refused("exec", "/process/parent/vpid", json!(1));
    check_refused("exec", "/process/ancestors/0/args", json!([]));
    check_refused("exec", "/host/ip", json!("127.0.0.1"));
    check_refused("connect", "/network/vlan", json!(1));
    check_refused("connect", "/destination/domain", json!("localhost"));
    check_refused("agent-stop", "/counters/exec/dropped", json!(1));
    check_refused("exec", "/capture/note", json!("x"));
}

#[test]
fn a_value_that_its_field_cannot_have_is_refused() {
    check_refused("exec", "/schema", json!("collector/2.0"));
    check_refused("exec", "/event/action", json!("execve"));
    check_refused("exec", "/event/kind", json!("alert"));
    check_refused("exec", "/event/sequence", json!(0));
    check_refused("exec", "/event/sequence", json!("1"));
    check_refused("exec", "/process/pid", json!(-1));
    check_refused("exec", "/process/args", json!("ls -l"));
    check_refused("exec", "/process/args_count", json!(1.5));
    check_refused("connect", "/source/port", json!(65_536));
    check_refused("connect", "/network/transport", json!("sctp"));
    check_refused("exec", "/capture/missing", json!({ "process.args": "because" }));
    check_refused("exec", "/capture/missing", json!({ "process.args": "io:" }));
    check_refused("exec", "/capture/origin", json!({ "process.args": "guess" }));
}

#[test]
fn a_time_without_nanoseconds_or_in_another_zone_is_refused() {
    for time in [
        "2026-11-23T07:00:00Z",
        "2026-11-23T07:00:00.123456Z",
        "2026-11-23T08:00:00.123456789+01:00",
        "2026-11-23 07:00:00.123456789Z",
    ] {
        check_refused("exec", "/@timestamp", json!(time));
        check_refused("exec", "/process/start", json!(time));
    }
    check_refused("exec", "/@timestamp", json!(1_795_000_000));
}

#[test]
fn a_digest_of_another_length_or_in_capitals_is_refused() {
    for (algorithm, digits) in [("md5", 32), ("sha1", 40), ("sha256", 64)] {
        let mut good = example("exec");
        good["process"]["hash"] = json!({ algorithm: "a".repeat(digits) });
        assert!(validator().is_valid(&good));
        for bad in ["a".repeat(digits - 1), "a".repeat(digits + 1), "A".repeat(digits), String::new()] {
            check_refused("exec", "/process/hash", json!({ algorithm: bad }));
        }
    }
}

#[test]
fn a_record_without_what_every_record_has_is_refused() {
    for field in ["@timestamp", "schema", "event", "host"] {
        let mut document = example("exec");
        document.as_object_mut().unwrap().remove(field);
        assert!(!validator().is_valid(&document), "without {field}");
    }
    for field in ["kind", "category", "type", "action", "sequence", "id"] {
        let mut document = example("exec");
        document["event"].as_object_mut().unwrap().remove(field);
        assert!(!validator().is_valid(&document), "without event.{field}");
    }
}

#[test]
fn a_field_that_is_null_is_refused() {
    check_refused("exec", "/process/executable", Value::Null);
    check_refused("exec", "/loss", Value::Null);
}
