//! Paths of images: as long as the kernel permits and longer, below another root, and a name that a process uses for itself.
//! Most of these processes are gone when their record is read.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use collector_tests::{
    agent::{Agent, Run},
    events::Event,
    findings::Findings,
    live::live_test,
    stream_rules,
    truth::{files, procfs},
    workload::{images::Images, spawn::Plan, tiny},
};
use serde_json::{Value, json};

use super::tiny_image;
use crate::programs::{STATE, SUBJECT, lineage};

/// Lengths of the names of directories below `directory`, so that `image` in the last has a path of `len` bytes.
fn lengths(directory: &str, len: usize, longest: usize) -> Vec<usize> {
    let mut left = len - directory.len() - "/image".len();
    let mut lengths = Vec::new();
    while left > longest + 2 {
        lengths.push(longest);
        left -= longest + 1;
    }
    // One more of what is left, or two, the first of them short.
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
        child.send("exit 77");
    }
    assert_eq!(child.reap().exit_code, Some(77));
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    (run, [exec, exit], path_of(&above, &lengths))
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
    if let Some(reported) = event.at("process.hash") {
        findings.equal("process.hash", action, Some(reported), Some(&files::hashes(&tiny::image("deep"))));
    }
}

/// A path that is reported exactly, of a process that is gone.
fn check_exact(len: usize, longest: usize) {
    let (run, events, directory) =
        in_a_deep_directory(tiny_image, |above| lengths(above, len, longest), false);
    let path = format!("{directory}/image");
    assert_eq!(path.len(), len);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let action = event.action();
        findings.equal("process.executable", action, event.at("process.executable"), Some(&json!(path)));
        findings.equal("process.name", action, event.at("process.name"), Some(&json!("image")));
        let reported = event.at("process.working_directory");
        findings.equal("process.working_directory", action, reported, Some(&json!(directory)));
        check_deep(&mut findings, event, event.at("process.exe"));
    }
    findings.conclude();
}

#[live_test]
fn a_path_of_4096_bytes_is_reported_whole() {
    check_exact(4096, 255);
}

#[live_test]
fn a_path_of_two_hundred_and_forty_directories_is_reported_whole() {
    check_exact(3800, 15);
}

#[live_test]
fn a_path_longer_than_a_page_costs_the_path_and_not_the_event() {
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

#[live_test]
fn a_path_of_a_thousand_directories_is_completed_from_proc_while_its_process_lives() {
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

#[live_test]
fn proc_self_exe_as_the_name_of_a_program_is_resolved_and_kept() {
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

/// Runs the tiny image as `executable` of a mount namespace of its own, and of another root in it.
fn in_another_root(how: &str, executable: impl Fn(&Path) -> String) {
    let images = Images::new(SUBJECT);
    let image = images.path("original");
    tiny::write(&image, &tiny::image(how));
    let root = images.subdirectory("root");
    let executable = executable(&root);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let number = "7";
    let child = lineage(&["root", how, root.to_str().unwrap(), image.to_str().unwrap(), number]);
    let pid = child.pid;
    let child = child.reap();
    assert_eq!(child.exit_code, Some(7), "{child:?}");
    let execs = agent.wait_for_all(pid, "exec", 2);
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let directory = executable.strip_suffix("/tiny").filter(|_| how == "chroot").unwrap_or("/");
    for event in [&execs[1], &exit] {
        let mut equal = |field, expected| findings.equal(field, how, event.at(field), Some(&expected));
        equal("process.executable", json!(executable));
        equal("process.name", json!("tiny"));
        equal("process.working_directory", json!(directory));
        equal("process.exe.size", json!(fs::metadata(&image).unwrap().len()));
        equal("process.parent.pid", json!(std::process::id()));
        // The image is gone with its namespace, but never is there a digest of something else.
        if let Some(reported) = event.at("process.hash") {
            findings.equal("process.hash", how, Some(reported), Some(&files::hashes(&tiny::image(how))));
        }
        let own = procfs::namespace(std::process::id(), "mnt");
        let reported = event.number_at("process.namespaces.mnt");
        findings.require("process.namespaces.mnt", reported.is_some_and(|reported| reported != own), || {
            &event.text
        });
    }
    findings.conclude();
}

#[live_test]
fn a_path_below_a_chroot_is_seen_from_the_namespace_s_root() {
    in_another_root("chroot", |root| format!("{}/tiny", root.display()));
}

#[live_test]
fn a_path_on_a_private_mount_goes_on_at_the_mount_point() {
    in_another_root("tmpfs", |root| format!("{}/tiny", root.display()));
}

#[live_test]
fn a_path_after_pivot_root_begins_at_the_new_root() {
    in_another_root("pivot", |_| "/tiny".to_owned());
}
