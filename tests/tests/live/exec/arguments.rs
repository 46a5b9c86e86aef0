//! Arguments and environments of execs: beyond any limit, written over, changed meanwhile, with secrets in them.

use collector_tests::{
    agent::Agent,
    compare,
    events::Event,
    findings::Findings,
    live::{live_test, scaled_to},
    stream_rules,
    truth::procfs,
    workload::{images::Images, spawn::Plan},
};
use serde_json::{Value, json};

use super::tiny_image;
use crate::programs::{STATE, SUBJECT, state};

/// 300 KB each.
fn many(name: &str) -> Vec<Vec<u8>> {
    (0..3_000).map(|index| format!("{name}{index:0>98}=").into_bytes()).collect()
}

/// The field is whole, or its full size is reported and the field is the beginning, of at least `least` bytes.
fn check_beginning(findings: &mut Findings, event: &Event, field: &str, full: &[Vec<u8>], least: usize) {
    let reported = event.at(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let reported: Vec<&str> = reported.iter().map(|entry| entry.as_str().unwrap()).collect();
    let size: usize = full.iter().map(|entry| entry.len() + 1).sum();
    let kept: usize = reported.iter().map(|entry| entry.len() + 1).sum();
    let truncated = event.at("capture.truncated").and_then(|fields| fields.get(field));
    let cut = kept < size;
    findings.equal("capture.truncated", field, truncated, cut.then(|| json!(size)).as_ref());
    findings.require("(64 KiB at least)", kept >= least, || format!("{field}: {kept} of {size}"));
    let last = reported.len() - 1;
    let begins = reported.iter().zip(full).enumerate().all(|(place, (reported, full))| match place {
        place if place == last && cut => full.starts_with(reported.as_bytes()),
        _ => reported.as_bytes() == full,
    });
    findings.require("(its beginning)", begins, || format!("{field}: {reported:?}"));
}

#[live_test]
fn arguments_and_an_environment_beyond_any_limit_have_a_beginning_and_their_size() {
    let images = Images::new(SUBJECT);
    let path = tiny_image(&images);
    let mut plan = Plan::of(path.to_str().unwrap());
    plan.args.push(b"66".to_vec());
    plan.args.extend(many("ARG"));
    plan.env = many("ENV");
    let agent = Agent::start(&["--event", "exec,exit"]);
    let child = plan.spawn();
    let pid = child.pid;
    assert_eq!(child.reap().exit_code, Some(66));
    let exec = agent.wait_for_all(pid, "exec", 1).remove(0);
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    check_beginning(&mut findings, &exec, "process.args", &plan.args, 64 << 10);
    check_beginning(&mut findings, &exec, "process.env_vars", &plan.env, 64 << 10);
    check_beginning(&mut findings, &exit, "process.args", &plan.args, 64 << 10);
    findings.conclude();
}

/// Row 22: what does not fit into the ring is cut, and the event is there.
#[live_test]
fn an_exec_larger_than_the_ring_is_reported_with_the_beginning_of_its_arguments() {
    let images = Images::new(SUBJECT);
    let path = tiny_image(&images);
    let mut plan = Plan { directory: images.directory(), ..Plan::of(path.to_str().unwrap()) };
    plan.args.push(b"65".to_vec());
    plan.args.extend(many("ARG").into_iter().take(1_000));
    plan.env = many("ENV").into_iter().take(100).collect();
    let agent = Agent::start(&["--event", "exec,exit", "--ring-bytes", "65536"]);
    let child = plan.spawn();
    let pid = child.pid;
    assert_eq!(child.reap().exit_code, Some(65));
    let exec = agent.wait_for_all(pid, "exec", 1).remove(0);
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in [&exec, &exit] {
        check_beginning(&mut findings, event, "process.args", &plan.args, 2 << 10);
        let reported = event.at("process.executable");
        findings.equal("process.executable", event.action(), reported, Some(&json!(path)));
        let reported = event.at("process.working_directory");
        findings.equal(
            "process.working_directory",
            event.action(),
            reported,
            Some(&json!(images.directory())),
        );
    }
    let (reported, missing) = (exec.at("process.env_vars"), exec.missing("process.env_vars"));
    findings
        .require("process.env_vars (or the reason)", reported.is_some() || missing.is_some(), || &exec.text);
    findings.conclude();
}

#[live_test]
fn an_environment_beyond_any_limit_is_completed_from_proc_while_its_process_lives() {
    let images = Images::new(SUBJECT);
    let mut plan = Plan::of(images.path("subject").to_str().unwrap());
    plan.env = many("ENV");
    plan.args.extend(many("ARG"));
    let agent = Agent::start(&["--event", "exec"]);
    let mut child = plan.spawn();
    child.ready();
    let exec = agent.wait_for(child.pid, "the exec", |event| event.action() == "exec");
    drop(child);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for (field, expected) in [("process.args", &plan.args), ("process.env_vars", &plan.env)] {
        compare::strings(&mut findings, &exec, field, expected);
        findings.require("capture.origin", exec.origin(field) == Some("proc"), || &exec.text);
    }
    findings.conclude();
}

#[live_test]
fn a_title_written_over_the_arguments_does_not_change_those_of_the_exec() {
    let mut plan = Plan::of(STATE);
    let title = "worker: idle";
    plan.args.extend(["title", title].map(|word| word.as_bytes().to_vec()));
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = plan.spawn();
    child.ready();
    let pid = child.pid;
    let shown = procfs::strings(pid, "cmdline").unwrap();
    assert_eq!(shown[0], title.as_bytes());
    // Of a process that ran before an agent, /proc has the title alone: see `procfs::split_nul`.
    let later = Agent::start(&["--snapshot", "--event", "exec"]);
    let snapshot = later.wait_for(pid, "the snapshot", |event| event.action() == "snapshot");
    let later = later.stop().expect_success();
    child.send("");
    child.reap();
    let events = ["exec", "exit"].map(|action| agent.wait_for_all(pid, action, 1).remove(0));
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    findings.add(stream_rules::check(&later.events));
    for event in &events {
        compare::strings(&mut findings, event, "process.args", &plan.args);
    }
    compare::strings(&mut findings, &snapshot, "process.args", &shown);
    findings.conclude();
}

#[live_test]
fn arguments_beyond_the_limit_are_all_there_or_their_full_size_is_reported() {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let args: Vec<Vec<u8>> = (0..3_000).map(|index| format!("{index:0>99}").into_bytes()).collect();
    let full_size: usize = args.iter().map(|arg| arg.len() + 1).sum();
    let plan = Plan { args: args.clone(), ..Plan::of(images.path("subject").to_str().unwrap()) };
    let mut child = plan.spawn();
    child.ready();
    assert_eq!(procfs::strings(child.pid, "cmdline").unwrap(), args);
    let exec = agent.wait_for(child.pid, "the exec", |event| event.action() == "exec");
    drop(child);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let truncated = exec.at("capture.truncated").and_then(|fields| fields.get("process.args")).cloned();
    let kept = if truncated.is_some() { 64 * 1024 / 100 } else { args.len() };
    let reported = exec.at("process.args").and_then(|args| args.as_array()).cloned().unwrap_or_default();
    let args: Vec<_> = args.iter().map(|arg| json!(str::from_utf8(arg).unwrap())).collect();
    findings.require(
        "process.args (a beginning of them)",
        reported.len() >= kept && reported[..kept] == args[..kept],
        || format!("{} of {}; {kept} were to be kept", reported.len(), args.len()),
    );
    let expected = json!(full_size);
    findings.require("capture.truncated", truncated.is_none_or(|size| size == expected), || full_size);
    findings.conclude();
}

/// Row 1: another thread could change what is read at the entry of the system call.
#[live_test]
fn arguments_that_another_thread_changes_meanwhile_are_those_that_the_program_got() {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let mut findings = Findings::new();
    for _ in 0..scaled_to(50, 10) {
        let mut child = state(&["racing", images.path("subject").to_str().unwrap()]);
        child.ready();
        let got = procfs::strings(child.pid, "cmdline").unwrap();
        let exec = agent.wait_for_all(child.pid, "exec", 2).remove(1);
        compare::strings(&mut findings, &exec, "process.args", &got);
    }
    findings.add(stream_rules::check(&agent.stop().expect_success().events));
    findings.conclude();
}

/// Row 13: not in the environment, the arguments, the command line, nor as the parent's on a child's records.
#[live_test]
fn a_secret_is_nowhere_in_the_stream_and_its_redaction_is_reported() {
    const SECRET: &str = "hunter2";
    let agent = Agent::start(&["--event", "exec,exit"]);
    let words =
        ["sh", "-c", "/bin/true; exit 0", "--password=?", "--Api-Key", "?", "-token", "?", "db://me:?@db/"];
    let entries = ["DB_PASSWORD=?", "plain=1", "github_token=?"];
    let filled = |words: &[&str]| -> Vec<Vec<u8>> {
        words.iter().map(|word| word.replace('?', SECRET).into_bytes()).collect()
    };
    let plan = Plan { args: filled(&words), env: filled(&entries), ..Plan::of("/bin/sh") };
    let child = plan.spawn();
    let pid = child.pid;
    child.reap();
    let [exec, exit] = ["exec", "exit"].map(|action| agent.wait_for_all(pid, action, 1).remove(0));
    let below = agent.wait_for_any("the child's exec", |event| {
        event.action() == "exec" && event.number_at("process.parent.pid") == Some(pid.into())
    });
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let leak = run.events.iter().find(|event| event.text.contains(SECRET));
    findings.require("(the secret is not in the stream)", leak.is_none(), || &leak.unwrap().text);
    let places = |name: &str| [3, 5, 7, 8].map(|place| format!("{name}[{place}]"));
    let env = [0, 2].map(|place| format!("process.env_vars[{place}]"));
    let of_exec: Vec<_> = places("process.args").into_iter().chain(env).collect();
    for (event, expected) in [
        (&exec, json!(of_exec)),
        (&exit, json!(places("process.args"))),
        (&below, json!(places("process.parent.args"))),
    ] {
        let mut reported: Vec<&Value> = event
            .at("capture.redacted")
            .and_then(Value::as_array)
            .map(|reported| reported.iter().collect())
            .unwrap_or_default();
        // The child has its parent's environment.
        reported.retain(|place| event.pid() == Some(pid.into()) || !place.as_str().unwrap().contains("env"));
        findings.equal("capture.redacted", event.action(), Some(&json!(reported)), Some(&expected));
    }
    let shown = exec.at("process.args").and_then(|args| args.get(8));
    findings.equal("process.args[8]", "exec", shown, Some(&json!("db://me:[redacted]@db/")));
    findings.conclude();
}

/// Linux 5.18 gives an empty one to a program that got none.
#[live_test]
fn an_exec_without_arguments_has_those_that_the_kernel_gives_it() {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let mut plan = Plan::of(images.path("subject").to_str().unwrap());
    plan.args.clear();
    let mut child = plan.spawn();
    child.ready();
    let given = procfs::strings(child.pid, "cmdline").unwrap();
    let exec = agent.wait_for(child.pid, "the exec", |event| event.action() == "exec");
    drop(child);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    compare::strings(&mut findings, &exec, "process.args", &given);
    findings.equal("process.args_count", "exec", exec.at("process.args_count"), Some(&json!(given.len())));
    findings.conclude();
}
