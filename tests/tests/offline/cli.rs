//! The command line: what it prints, what it refuses, and with which exit code. None of this needs root.

use std::{
    fs,
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
};

use collector_tests::{agent, unprivileged::Unprivileged, wait::PATIENCE};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// `collector` with these arguments, to its end.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

#[track_caller]
fn run(args: &[&str]) -> Ran {
    let ran: Ran = output_of(agent::command(args)).into();
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran
}

/// Runs a command to its end. One that is accepted although it should be refused would run for ever.
#[track_caller]
fn output_of(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait_with_output()));
    let Ok(output) = end.recv_timeout(PATIENCE) else {
        // It has not been waited for, so the pid is still its own.
        let _ = kill_process(pid, Signal::KILL);
        panic!("{command:?} did not end within {PATIENCE:?}")
    };
    output.unwrap()
}

/// An error is on stderr, in words that hold all of these, and nothing is on stdout.
#[track_caller]
fn refused(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in {:?}", ran.stderr);
    }
}

/// Root with a live kernel would start the agent; as another user it must stop at its arguments before that.
fn run_unprivileged(args: &[&str]) -> Ran {
    output_of(Unprivileged::new().command(args)).into()
}

#[test]
fn a_replay_of_a_damaged_recording_streams_what_there_is_and_ends_with_1_and_the_place() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/exec-twice-6.18-2026-11-23.rec");
    let bytes = fs::read(fixture).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.rec");
    fs::write(&path, bytes.get(..bytes.len() - 1).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let whole = run(&["replay", fixture, "--format", "json"]);
    assert_eq!((whole.code, whole.stderr.as_str()), (Some(0), ""));
    let cut = run(&["replay", path, "--format", "json"]);
    assert_eq!(cut.code, Some(1), "{}", cut.stderr);
    for words in [path, "is damaged at byte ", "records: the file ends in the middle of an entry"] {
        assert!(cut.stderr.contains(words), "{words:?} is not in {:?}", cut.stderr);
    }
    assert_eq!(cut.stdout.lines().count(), whole.stdout.lines().count());
    assert!(cut.stdout.lines().next_back().unwrap().contains("\"degraded\":{\"recording\":"));
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    refused(&run(&["run", "--nonsense"]), 2, &["--nonsense", "Usage:"]);
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    refused(&run(&["nonsense"]), 2, &["nonsense", "Usage:"]);
}

#[test]
fn an_unknown_event_is_refused_with_the_names_of_all_events() {
    refused(&run(&["run", "--event", "exec,nonsense"]), 2, &["nonsense", "fork", "exec", "exit", "connect"]);
}

#[test]
fn an_unknown_format_is_refused_with_the_names_of_all_formats() {
    refused(&run(&["run", "--format", "nonsense"]), 2, &["nonsense", "json", "compact"]);
}

#[test]
fn an_unknown_output_is_refused_with_the_forms_of_outputs() {
    refused(&run(&["run", "--output", "nonsense"]), 2, &["nonsense", "stdout", "file:"]);
}

#[test]
fn a_wrong_rule_and_a_wrong_limit_are_refused_with_what_they_may_be() {
    refused(&run(&["run", "--exclude", "user=root"]), 2, &["user=root", "uid=NUMBER", "cgroup=PATH"]);
    refused(&run(&["run", "--only", "uid=no-such-user"]), 2, &["uid=no-such-user", "id -u no-such-user"]);
    refused(&run(&["run", "--only", "image=java"]), 2, &["\"java\"", "whole path"]);
    refused(&run(&["run", "--exclude", "comm=a-name-of-16byte"]), 2, &["16 bytes", "1 to 15"]);
    refused(&run(&["run", "--exec-limit", "100"]), 2, &["\"100\"", "COUNT/s", "100/s:200"]);
}

#[test]
fn a_wrong_rule_in_the_configuration_is_refused_with_line_and_column() {
    refused_configuration(
        "[filter]\nexclude = [\n  \"uid=0\",\n  \"pid=1\",\n]\n",
        &["line 2", "column 11", "\"pid=1\" is not a rule"],
    );
    refused_configuration("[filter]\nexec_limit = \"0/s\"\n", &["line 2", "0/s", "1 or more"]);
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let ran = run(&["run", "--output", "file:/nonexistent/events.jsonl"]);
    // Where privileges are missing, that may be found first.
    if !rustix::process::geteuid().is_root() && ran.code == Some(77) {
        return;
    }
    assert!(matches!(ran.code, Some(1 | 2)), "{:?}: {}", ran.code, ran.stderr);
    refused(&ran, ran.code.unwrap(), &["/nonexistent/events.jsonl", "No such file or directory"]);
}

#[track_caller]
fn refused_configuration(text: &str, words: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("collector.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let ran = run(&["run", "--config", path]);
    refused(&ran, 78, &[&[path][..], words].concat());
}

#[test]
fn an_unknown_key_in_the_configuration_is_refused_with_line_and_column() {
    refused_configuration("# a comment\n\n  nonsense = 1\n", &["nonsense", "line 3", "column 3"]);
}

#[test]
fn a_configuration_that_is_not_toml_is_refused_with_line_and_column() {
    refused_configuration("# a comment\nevents = [\n", &["line 2", "column"]);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let ran = run(&["run", "--config", "/nonexistent/collector.toml"]);
    refused(&ran, 78, &["/nonexistent/collector.toml", "No such file or directory"]);
}

#[test]
fn without_privileges_it_says_so() {
    let ran = run_unprivileged(&["run"]);
    refused(&ran, 77, &["root"]);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn it_prints_its_version() {
    let ran = run(&["--version"]);
    assert_eq!((ran.code, ran.stdout.trim()), (Some(0), concat!("collector ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn its_help_teaches_the_commands() {
    let ran = run(&["--help"]);
    assert_eq!(ran.code, Some(0));
    for command in ["run", "doctor", "replay", "schema", "completions", "man"] {
        let row = ran.stdout.lines().find(|line| line.trim_start().starts_with(command));
        let words = row.map_or(0, |row| row.split_whitespace().count());
        assert!(words > 1, "{command} is not explained in {}", ran.stdout);
    }
}

#[test]
fn the_help_of_run_teaches_its_flags_and_exit_codes() {
    let ran = run(&["run", "--help"]);
    assert_eq!(ran.code, Some(0));
    for word in [
        "--event",
        "--output",
        "--format",
        "--snapshot",
        "--config",
        "--exclude",
        "--only",
        "--exec-limit",
        "cgroup=PATH",
        "file:",
        "compact",
        "exec",
    ] {
        assert!(ran.stdout.contains(word), "{word} is not in {}", ran.stdout);
    }
}

#[test]
fn the_schema_is_a_valid_json_schema_that_refuses_what_is_not_a_record() {
    let ran = run(&["schema"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let schema: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for not_a_record in
        [serde_json::json!({}), serde_json::json!([]), serde_json::json!({"schema": "collector/1.0"})]
    {
        assert!(!validator.is_valid(&not_a_record), "{not_a_record}");
    }
}

#[test]
fn the_doctor_s_report_is_json() {
    let ran = run(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(report.is_object() || report.is_array(), "{report}");
    assert!(matches!(ran.code, Some(0 | 69 | 77)), "{:?}: {}", ran.code, ran.stderr);
}

#[test]
fn the_doctor_prints_the_filters_of_a_configuration_file_and_refuses_a_wrong_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("collector.toml");
    fs::write(&file, "[filter]\nexclude = [\"comm=make\"]\n").unwrap();
    let args = ["doctor", "--json", "--config", file.to_str().unwrap()];
    let report: Value = serde_json::from_str(&run(&args).stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let filters = checks.iter().find(|check| check["name"] == "filters").unwrap();
    assert_eq!(filters["found"], "exclude comm=make");
    fs::write(&file, "[filter]\nexclude = [\"colour=red\"]\n").unwrap();
    refused(&run(&args), 78, &["colour"]);
}

#[test]
fn the_doctor_says_what_is_missing_without_privileges() {
    let ran = run_unprivileged(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(report.to_string().contains("root") || report.to_string().contains("CAP_"), "{report}");
    assert_ne!(ran.code, Some(0), "{report}");
}

#[test]
fn completions_are_for_three_shells() {
    for (shell, word) in
        [("bash", "complete"), ("zsh", "#compdef collector"), ("fish", "complete -c collector")]
    {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}: {}", ran.stderr);
        for word in [word, "doctor", "snapshot"] {
            assert!(ran.stdout.contains(word), "{shell}: no {word:?}");
        }
    }
    refused(&run(&["completions", "nonsense"]), 2, &["bash", "zsh", "fish"]);
}

#[test]
fn bash_can_read_its_completions() {
    let ran = run(&["completions", "bash"]);
    let checked = Command::new("bash").args(["-n", "-c", &ran.stdout]).output();
    // A machine without bash has no use for them.
    if let Ok(checked) = checked {
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn the_man_page_has_a_title_and_the_commands() {
    let ran = run(&["man"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(".TH "), "{}", ran.stdout);
    for word in ["SYNOPSIS", "doctor", "run"] {
        assert!(ran.stdout.contains(word), "no {word} in {}", ran.stdout);
    }
}
