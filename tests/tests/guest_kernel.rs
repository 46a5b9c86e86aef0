//! What a kernel lacks is told by `collector doctor` and by `agent-start`, in the same words, and it is no more than is
//! known of that kernel; and what each program costs its verifier. Both are printed as lines of a table, which
//! `cargo xtask vm` puts into docs/kernels.md.
//!
//! For guests alone: there the kernel's build is known.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what went wrong by a panic")]

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    process::Command,
};

use collector_tests::{
    agent::{self, Agent},
    live::live_or_skip,
};
use serde_json::Value;

const COSTS: &str = env!("CARGO_BIN_EXE_verifier_costs");

/// Features that a kernel lacks, by the releases before which it does. Nothing else may be degraded.
const LACKING: &[(&str, (u32, u32))] = &[];

/// Checks of `doctor` that are of the machine and not of its kernel.
const OF_THE_MACHINE: [&str; 4] = ["kernel", "privileges", "memlock", "object"];

/// A line of the table; past the test harness, which keeps what a test that passes prints to itself.
fn report(kind: &str, cells: &[&str]) {
    writeln!(io::stdout(), "\nreport\t{kind}\t{}", cells.join("\t")).unwrap();
}

/// `6.12.117+deb12-cloud-amd64` as (6, 12).
fn version() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let numbers: Vec<u32> = release.split('.').map_while(|number| number.parse().ok()).collect();
    (numbers[0], numbers[1])
}

fn doctor() -> Vec<Value> {
    let output = agent::command(&["doctor", "--json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["checks"].as_array().unwrap().clone()
}

/// `agent.degraded` of a run.
fn degraded() -> BTreeMap<String, String> {
    let run = Agent::start(&["--event", "exec"]).stop().expect_success();
    serde_json::from_value(run.events[0].at("agent.degraded").unwrap().clone()).unwrap()
}

#[test]
fn what_this_kernel_lacks_is_told_and_is_what_is_known_of_it() {
    assert!(live_or_skip(), "this test is for guests alone");
    let (checks, degraded) = (doctor(), degraded());
    let of_kernel = checks.iter().filter(|check| !OF_THE_MACHINE.contains(&check["name"].as_str().unwrap()));
    for check in of_kernel.clone() {
        report("feature", &[check["name"].as_str().unwrap(), check["status"].as_str().unwrap()]);
    }
    for feature in degraded.keys() {
        report("feature", &[feature, "degraded"]);
    }
    let lacking: Vec<&str> =
        LACKING.iter().filter(|(_, since)| version() < *since).map(|(feature, _)| *feature).collect();
    let told: Vec<&str> = degraded.keys().map(String::as_str).collect();
    assert_eq!(told, lacking, "agent-start says {degraded:?}");
    let hooks = of_kernel.filter(|check| check["name"].as_str().unwrap().starts_with("hook "));
    let refused: Vec<&Value> = hooks.filter(|check| check["status"] != "ok").collect();
    assert!(refused.is_empty(), "{refused:?}");
    // What agent-start says, doctor says.
    for feature in told {
        let is_told = |check: &Value| check["status"] != "ok" && check.to_string().contains(feature);
        assert!(checks.iter().any(is_told), "doctor does not say that {feature} is degraded");
    }
}

#[test]
fn each_program_is_taken_by_the_verifier_at_a_cost_that_is_told() {
    assert!(live_or_skip(), "this test is for guests alone");
    let output = Command::new(COSTS).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    let costs: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    let checks = doctor();
    let hooks: Vec<&str> =
        checks.iter().filter_map(|check| check["name"].as_str()?.strip_prefix("hook ")).collect();
    assert_eq!(costs.len(), hooks.len(), "{table}");
    for (hook, cost) in hooks.iter().zip(&costs) {
        report("cost", &[hook, cost[1], cost[2]]);
    }
}
