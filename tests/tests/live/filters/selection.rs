//! What a user picks on the command line: processes, trees of processes, a number of events, a time.

use std::{process::Command, time::Instant};

use collector_tests::{
    agent::{self, Agent},
    live::live_test,
};
use serde_json::Value;

/// The events of a run with these flags that ends by itself.
#[track_caller]
fn run(flags: &[&str]) -> Vec<Value> {
    let output = agent::command(&[&["run", "--format", "json"], flags].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = str::from_utf8(&output.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[live_test]
fn a_run_ends_by_itself_after_a_time() {
    let begin = Instant::now();
    let events = run(&["--duration", "200ms"]);
    assert!(begin.elapsed().as_millis() >= 200);
    assert_eq!(events.last().unwrap()["event"]["action"], "agent-stop");
}

#[live_test]
fn a_tree_shows_what_a_process_starts_and_all_else_counts_as_filtered() {
    // Waits for a line, so that it starts its child when the agent runs.
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", "read line; sh -c '/bin/true; exit 3'; read line"]);
    let mut shell = shell.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let pid = shell.id();
    let agent = Agent::start(&["--event", "exec,exit", "--tree", &pid.to_string()]);
    assert!(Command::new("/bin/true").status().unwrap().success(), "not of the tree");
    let mut input = shell.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"\n").unwrap();
    let inner = agent.wait_for_any("the inner shell", |event| {
        event.action() == "exit" && event.number_at("process.exit_code") == Some(3)
    });
    assert_eq!(inner.number_at("process.parent.pid"), Some(pid.into()));
    drop(input);
    shell.wait().unwrap();
    agent.wait_for(pid, "the exit of the shell", |event| event.action() == "exit");
    let run = agent.stop().expect_success();
    for event in run.of_action("exec").chain(run.of_action("exit")) {
        let process = event.at("process").unwrap();
        let is_above = |ancestor: &Value| ancestor["pid"] == pid;
        let in_tree = process["pid"] == pid || process["ancestors"].as_array().unwrap().iter().any(is_above);
        assert!(in_tree, "{process}");
    }
    let stop = run.of_action("agent-stop").next().unwrap();
    for action in ["exec", "exit"] {
        let count = |key: &str| stop.number_at(&format!("counters.{action}.{key}")).unwrap();
        assert!(count("filtered") >= 1, "{action}: the other program");
        assert_eq!(count("seen"), count("written") + count("filtered") + count("lost"), "{action}");
    }
}
