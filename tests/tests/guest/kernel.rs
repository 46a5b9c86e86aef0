//! `collector doctor` and `agent-start` report what a kernel lacks, in the same words, and no more than is known of that
//! kernel. And what each program costs the verifier. Both are printed as lines of a table, which
//! `cargo xtask vm` puts into docs/kernels.md.
//!
//! For guests alone: there the kernel's build is known.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
    process::Command,
};

use collector_tests::{
    agent::{self, Agent},
    live::{live_test, needs},
    stream_rules,
    workload::spawn::Plan,
};
use rustix::{
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    thread::{UnshareFlags, unshare_unsafe},
};
use serde_json::Value;

const COSTS: &str = env!("CARGO_BIN_EXE_verifier_costs");

/// Features that a kernel lacks, by the releases before which it does. Nothing else may be degraded.
const LACKING: &[(&str, (u32, u32))] = &[];

/// What an administrator can take from any kernel, and the feature that goes with it.
const CGROUP2: &str = "/sys/fs/cgroup";
const WITHOUT_CGROUP2: &str = "connections";

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

#[live_test(alone)]
fn what_this_kernel_lacks_is_reported_and_expected() {
    needs::guest();
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
    let reported: Vec<&str> = degraded.keys().map(String::as_str).collect();
    assert_eq!(reported, lacking, "agent-start says {degraded:?}");
    let hooks = of_kernel.filter(|check| check["name"].as_str().unwrap().starts_with("hook "));
    let refused: Vec<&Value> = hooks.filter(|check| check["status"] != "ok").collect();
    assert!(refused.is_empty(), "{refused:?}");
    // What agent-start says, doctor says.
    for feature in reported {
        let is_reported = |check: &Value| check["status"] != "ok" && check.to_string().contains(feature);
        assert!(checks.iter().any(is_reported), "doctor does not say that {feature} is degraded");
    }
}

/// Subflows are what a kernel without MPTCP never opens by itself: the test of them says that it did not run there.
#[live_test(without_agent)]
fn only_the_oldest_of_these_kernels_is_without_mptcp() {
    needs::guest();
    let has_mptcp = Path::new("/proc/sys/net/mptcp/enabled").exists();
    report("feature", &["MPTCP's own connections", if has_mptcp { "ok" } else { "not in this kernel" }]);
    assert_eq!(has_mptcp, version() > (5, 10));
}

/// Where a part cannot be attached, it alone is missing. Its own mount namespace: the other tests keep their cgroup v2.
#[live_test(alone)]
fn without_cgroup_v2_connections_are_missing_and_the_rest_works() {
    needs::guest();
    // SAFETY: only this thread, and what it starts, sees other mounts from here on; no descriptor is shared or closed.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }.unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    unmount(CGROUP2, UnmountFlags::DETACH).unwrap();

    let check = doctor().into_iter().find(|check| check["name"] == "cgroup2").unwrap();
    assert_eq!(check["status"], "warn", "{check}");
    let agent = Agent::start(&["--event", "exec,exit,connect"]);
    let child = Plan::of("/bin/true").spawn();
    let pid = child.pid;
    assert_eq!(child.reap().exit_code, Some(0));
    agent.wait_for(pid, "the exit", |event| event.action() == "exit");
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let degraded = run.events[0].at("agent.degraded").unwrap().as_object().unwrap();
    assert_eq!(degraded.keys().collect::<Vec<_>>(), [WITHOUT_CGROUP2]);
    for action in ["exec", "exit"] {
        let reported = run.of(pid, action);
        findings.require(action, reported.len() == 1, || reported.len());
        let name = reported.first().and_then(|event| event.at("process.name"));
        findings.equal("process.name", action, name, Some(&"true".into()));
    }
    findings.conclude();
}

#[live_test(alone)]
fn the_verifier_accepts_each_program_and_its_cost_is_printed() {
    needs::guest();
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
