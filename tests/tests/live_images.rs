//! What an image is told by where that is hard: paths as long as the kernel lets them be and longer, arguments and
//! environments beyond any limit, a name for itself, a title written over the arguments, another machine's width. Most of
//! these processes are gone when their record is read.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by a panic")]

use std::{fs, path::PathBuf, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use collector_tests::{
    agent::{Agent, Run},
    compare,
    digests::{Told, write_settled},
    events::Event,
    findings::Findings,
    live::live_or_skip,
    stream_rules,
    truth::{files, procfs},
    workload::{images::Images, spawn::Plan, tiny, tiny32},
};
use serde_json::{Value, json};

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
const STATE: &str = env!("CARGO_BIN_EXE_state");

/// Lengths of the names of directories below `directory`, so that `image` in the last has a path of `len` bytes.
fn lengths(directory: &str, len: usize, longest: usize) -> Vec<usize> {
    let mut left = len - directory.len() - "/image".len();
    let mut lengths = Vec::new();
    while left > longest + 2 {
        lengths.push(longest);
        left -= longest + 1;
    }
    // One more of what is left, or two of which the first is short.
    if left > longest + 1 {
        lengths.push(left - longest - 2);
        left = longest + 1;
    }
    lengths.push(left - 1);
    lengths
}

fn path_of(directory: &str, lengths: &[usize]) -> String {
    lengths.iter().fold(directory.to_owned(), |path, &length| format!("{path}/{}", "d".repeat(length)))
}

/// Runs `image` in a directory below others whose names have these lengths. Answers with the records of its exec and its
/// exit, and the path of the directory.
fn in_a_deep_directory(
    image: impl FnOnce(&Images) -> PathBuf,
    of: impl FnOnce(&str) -> Vec<usize>,
    alive: bool,
) -> (Run, [Arc<Event>; 2], String) {
    let images = Images::new(SUBJECT);
    let above = images.directory().to_str().unwrap().to_owned();
    let lengths = of(&above);
    let image = image(&images);
    let mut plan = Plan { directory: above.clone().into(), ..Plan::of(STATE) };
    plan.args.extend(["deep", image.to_str().unwrap(), "77"].map(|word| word.as_bytes().to_vec()));
    plan.args.extend(lengths.iter().map(|length| length.to_string().into_bytes()));
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = plan.spawn();
    let pid = child.pid;
    if alive {
        child.ready();
    }
    let exec = agent.wait_for_all(pid, "exec", 2).remove(1);
    if alive {
        agent.wait_for_digests(&exec);
        child.tell("exit 77");
    }
    assert_eq!(child.reap().exit_code, Some(77));
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    (run, [exec, exit], path_of(&above, &lengths))
}

fn tiny_image(images: &Images) -> PathBuf {
    let path = images.path("tiny");
    tiny::write(&path, &tiny::image("deep"));
    path
}

/// What is known of both records, however long their paths are.
fn check_deep(findings: &mut Findings, event: &Event, exe: Option<&Value>) {
    let action = event.action();
    findings.equal("process.args", action, event.at("process.args"), Some(&json!(["./image", "77"])));
    findings.equal("process.comm", action, event.at("process.comm"), Some(&json!("image")));
    findings.equal("process.exe", action, event.at("process.exe"), exe);
    if action == "exit" {
        findings.equal("process.exit_code", action, event.at("process.exit_code"), Some(&json!(77)));
    }
    if let Some(told) = event.at("process.hash") {
        findings.equal("process.hash", action, Some(told), Some(&files::hashes(&tiny::image("deep"))));
    }
}

/// A path that is told exactly, of a process that is gone.
fn check_exact(len: usize, longest: usize) {
    if !live_or_skip() {
        return;
    }
    let (run, events, directory) =
        in_a_deep_directory(tiny_image, |above| lengths(above, len, longest), false);
    let path = format!("{directory}/image");
    assert_eq!(path.len(), len);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let action = event.action();
        findings.equal("process.executable", action, event.at("process.executable"), Some(&json!(path)));
        findings.equal("process.name", action, event.at("process.name"), Some(&json!("image")));
        let told = event.at("process.working_directory");
        findings.equal("process.working_directory", action, told, Some(&json!(directory)));
        check_deep(&mut findings, event, event.at("process.exe"));
    }
    findings.conclude();
}

#[test]
fn a_path_of_4096_bytes_is_told_whole() {
    check_exact(4096, 255);
}

#[test]
fn a_path_of_two_hundred_and_forty_directories_is_told_whole() {
    check_exact(3800, 15);
}

#[test]
fn a_path_longer_than_a_page_costs_the_path_and_not_the_event() {
    if !live_or_skip() {
        return;
    }
    for len in [4097, 5000, 20_000] {
        let (run, events, _) = in_a_deep_directory(tiny_image, |above| lengths(above, len, 250), false);
        let mut findings = stream_rules::check(&run.events);
        for event in &events {
            // The directory of a path of 4,097 bytes is short enough.
            let fields: &[&str] = if len == 4097 {
                &["process.executable"]
            } else {
                &["process.executable", "process.working_directory"]
            };
            for field in fields {
                let missing = event.missing(field);
                findings.equal(field, event.action(), event.at(field), None);
                findings.require("capture.missing", missing == Some("too_large"), || &event.text);
            }
            check_deep(&mut findings, event, events[0].at("process.exe"));
        }
        findings.require("process.exe", events[0].at("process.exe.inode").is_some(), || &events[0].text);
        findings.conclude();
    }
}

#[test]
fn a_path_of_a_thousand_directories_is_completed_from_proc_while_its_process_lives() {
    if !live_or_skip() {
        return;
    }
    let subject = |images: &Images| images.path("subject");
    let (run, events, directory) = in_a_deep_directory(subject, |_| vec![2; 1000], true);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let action = event.action();
        let expected =
            [("executable", format!("{directory}/image")), ("working_directory", directory.clone())];
        for (field, expected) in expected {
            let field = format!("process.{field}");
            findings.equal(&field, action, event.at(&field), Some(&json!(expected)));
            let origin = event.origin(&field);
            findings.require("capture.origin", origin == Some("proc"), || format!("{field}: {origin:?}"));
        }
    }
    findings.conclude();
}

/// 300 KB each.
fn many(name: &str) -> Vec<Vec<u8>> {
    (0..3_000).map(|index| format!("{name}{index:0>98}=").into_bytes()).collect()
}

/// The field is whole, or its full size is told and what is there is the beginning, of at least `least` bytes.
fn check_beginning(findings: &mut Findings, event: &Event, field: &str, full: &[Vec<u8>], least: usize) {
    let told = event.at(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let told: Vec<&str> = told.iter().map(|entry| entry.as_str().unwrap()).collect();
    let size: usize = full.iter().map(|entry| entry.len() + 1).sum();
    let kept: usize = told.iter().map(|entry| entry.len() + 1).sum();
    let truncated = event.at("capture.truncated").and_then(|fields| fields.get(field));
    let cut = kept < size;
    findings.equal("capture.truncated", field, truncated, cut.then(|| json!(size)).as_ref());
    findings.require("(64 KiB at least)", kept >= least, || format!("{field}: {kept} of {size}"));
    let last = told.len() - 1;
    let begins = told.iter().zip(full).enumerate().all(|(place, (told, full))| match place {
        place if place == last && cut => full.starts_with(told.as_bytes()),
        _ => told.as_bytes() == full,
    });
    findings.require("(its beginning)", begins, || format!("{field}: {told:?}"));
}

#[test]
fn of_arguments_and_an_environment_beyond_any_limit_a_beginning_and_their_size_are_told() {
    if !live_or_skip() {
        return;
    }
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
#[test]
fn an_exec_larger_than_the_ring_is_told_with_a_beginning_of_its_arguments() {
    if !live_or_skip() {
        return;
    }
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
        let told = event.at("process.executable");
        findings.equal("process.executable", event.action(), told, Some(&json!(path)));
        let told = event.at("process.working_directory");
        findings.equal("process.working_directory", event.action(), told, Some(&json!(images.directory())));
    }
    let (told, missing) = (exec.at("process.env_vars"), exec.missing("process.env_vars"));
    findings.require("process.env_vars (or the reason)", told.is_some() || missing.is_some(), || &exec.text);
    findings.conclude();
}

#[test]
fn an_environment_beyond_any_limit_is_completed_from_proc_while_its_process_lives() {
    if !live_or_skip() {
        return;
    }
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

#[test]
fn proc_self_exe_as_the_name_of_a_program_is_shown_as_its_path_and_kept() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let path = tiny_image(&images);
    let mut plan = Plan::of(path.to_str().unwrap());
    plan.args = ["/proc/self/exe", "9", "/proc/self/exe"].map(|word| word.as_bytes().to_vec()).to_vec();
    let agent = Agent::start(&["--event", "exec,exit"]);
    let child = plan.spawn();
    let pid = child.pid;
    child.reap();
    let events = ["exec", "exit"].map(|action| agent.wait_for_all(pid, action, 1).remove(0));
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let expected = json!([path, "9", "/proc/self/exe"]);
        findings.equal("process.args", event.action(), event.at("process.args"), Some(&expected));
        let kept = event.bytes("process.args[0]");
        findings.require("capture.bytes", kept == Some(&STANDARD.encode("/proc/self/exe")), || &event.text);
    }
    findings.conclude();
}

#[test]
fn a_title_written_over_the_arguments_does_not_change_what_the_exec_was_given() {
    if !live_or_skip() {
        return;
    }
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
    child.tell("");
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

#[test]
#[cfg(target_arch = "x86_64")]
fn a_32_bit_program_is_told_as_any_other() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let path = images.path("thirty-two");
    write_settled(&path, &tiny32::image());
    let env: Vec<Vec<u8>> = ["WIDTH=32", "WIDTH=i386", "alone"].map(Into::into).to_vec();
    let mut plan =
        Plan { env: env.clone(), directory: images.directory(), ..Plan::of(path.to_str().unwrap()) };
    plan.args.extend(["300", "", "two words"].map(|word| word.as_bytes().to_vec()));
    let agent = Agent::start(&["--event", "exec,exit"]);
    let child = plan.spawn();
    let pid = child.pid;
    assert_eq!(child.reap().exit_code, Some(44));
    let events = ["exec", "exit"].map(|action| agent.wait_for_all(pid, action, 1).remove(0));
    let digests = Told::in_the_end(&agent, Arc::clone(&events[0]));
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let exe = Value::Object(files::exe(&fs::metadata(&path).unwrap()));
    for event in &events {
        let mut equal =
            |field, expected| findings.equal(field, event.action(), event.at(field), Some(&expected));
        equal("process.executable", json!(path));
        equal("process.comm", json!("thirty-two"));
        equal("process.exe", exe.clone());
        equal("process.working_directory", json!(images.directory()));
        equal("process.parent.pid", json!(std::process::id()));
        compare::strings(&mut findings, event, "process.args", &plan.args);
    }
    compare::strings(&mut findings, &events[0], "process.env_vars", &env);
    findings.equal("process.exit_code", "exit", events[1].at("process.exit_code"), Some(&json!(44)));
    let hashes = files::hashes(&tiny32::image());
    findings.equal("process.hash", "in the end", digests.hash.as_ref(), Some(&hashes));
    // On a slow machine it may have ended before its digests were there.
    let told_at_once = events[0].missing("process.hash").is_none().then_some(&hashes);
    findings.equal("process.hash", "exec", events[0].at("process.hash"), told_at_once);
    if told_at_once.is_some() {
        findings.equal("process.hash", "exit", events[1].at("process.hash"), Some(&hashes));
    }
    findings.conclude();
}
