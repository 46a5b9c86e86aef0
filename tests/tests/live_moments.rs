//! What is true at the moment of an event and not before or after it: a root directory, credentials, an image that was
//! inherited, the work of threads that have ended. And how large the records are that tell it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what went wrong by a panic")]

mod lineage;

use std::{fs, net::TcpListener, path::Path};

use collector_tests::{
    agent::Agent,
    compare,
    live::live_or_skip,
    stream_rules,
    truth::{clock::Wall, files, procfs},
    workload::{images::Images, reap, spawn::Plan, storm::USER, tiny},
};
use lineage::{LINEAGE, lineage, told_pid};
use serde_json::json;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

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
        if let Some(told) = event.at("process.hash") {
            findings.equal("process.hash", how, Some(told), Some(&files::hashes(&tiny::image(how))));
        }
        let own = procfs::namespace(std::process::id(), "mnt");
        let told = event.number_at("process.namespaces.mnt");
        findings.require("process.namespaces.mnt", told.is_some_and(|told| told != own), || &event.text);
    }
    findings.conclude();
}

#[test]
fn a_path_below_a_chroot_is_seen_from_the_namespace_s_root() {
    if live_or_skip() {
        in_another_root("chroot", |root| format!("{}/tiny", root.display()));
    }
}

#[test]
fn a_path_on_a_private_mount_goes_on_at_the_mount_point() {
    if live_or_skip() {
        in_another_root("tmpfs", |root| format!("{}/tiny", root.display()));
    }
}

#[test]
fn a_path_after_pivot_root_begins_at_the_new_root() {
    if live_or_skip() {
        in_another_root("pivot", |_| "/tiny".to_owned());
    }
}

/// `CLONE_PARENT`: the kernel says whose child it is, and that one has never had its image.
#[test]
fn a_process_that_was_cloned_as_a_sibling_has_the_image_of_its_cloner() {
    if !live_or_skip() {
        return;
    }
    let agent = Agent::start(&["--event", "fork,exec,exit"]);
    let mut cloner = lineage(&["clone-parent"]);
    let pid = told_pid(&mut cloner);
    assert_eq!(reap::reap(pid).exit_code, Some(33));
    let fork = agent.wait_for_all(pid, "fork", 1).remove(0);
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let cloner_s = agent.wait_for(cloner.pid, "the exec", |event| event.action() == "exec");
    cloner.tell("");
    cloner.reap();
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in [&fork, &exit] {
        for field in ["executable", "exe", "args", "args_count", "working_directory", "comm", "user"] {
            let field = format!("process.{field}");
            findings.equal(&field, event.action(), event.at(&field), cloner_s.at(&field));
        }
        for field in ["pid", "entity_id", "executable"] {
            let field = format!("process.parent.{field}");
            findings.equal(&field, event.action(), event.at(&field), cloner_s.at(&field));
        }
        let own = json!(std::process::id());
        findings.equal("process.parent.pid", event.action(), event.at("process.parent.pid"), Some(&own));
        let args = json!([LINEAGE, "clone-parent"]);
        findings.equal("process.args", event.action(), event.at("process.args"), Some(&args));
        let origin = event.origin("process.executable");
        findings.require("capture.origin", origin == Some("parent"), || format!("{origin:?}"));
    }
    findings.equal("process.exit_code", "exit", exit.at("process.exit_code"), Some(&json!(33)));
    findings.conclude();
}

#[test]
fn a_connect_tells_the_credentials_of_its_moment_and_not_those_of_the_fork() {
    if !live_or_skip() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let agent = Agent::start(&["--event", "fork,exit,connect"]);
    let mut parent = lineage(&["other-user", &address.to_string()]);
    let pid = told_pid(&mut parent);
    let of = |action| agent.wait_for_all(pid, action, 1).remove(0);
    let (fork, events) = (of("fork"), ["connect", "connect-result", "exit"].map(of));
    parent.tell("");
    parent.reap();
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    findings.equal("process.user.id", "fork", fork.at("process.user.id"), Some(&json!("0")));
    for event in &events {
        for noun in ["user", "real_user", "saved_user", "group", "real_group", "saved_group"] {
            let field = format!("process.{noun}.id");
            let user = json!(USER.to_string());
            findings.equal(&field, event.action(), event.at(&field), Some(&user));
        }
        for set in ["effective", "permitted"] {
            let field = format!("process.thread.capabilities.{set}");
            let told = event.at(&field).and_then(|told| told.as_array()).map_or(0, Vec::len);
            findings.require(&field, told == 0, || &event.text);
        }
    }
    findings.equal("process.exit_code", "exit", events[2].at("process.exit_code"), Some(&json!(0)));
    findings.conclude();
}

#[test]
fn an_exit_counts_the_work_of_threads_that_have_ended_before() {
    if !live_or_skip() {
        return;
    }
    let agent = Agent::start(&["--event", "exec,exit"]);
    let before = Wall::now();
    let child = lineage(&["threads"]);
    let pid = child.pid;
    let reaped = child.reap();
    let ended = (before, Wall::now());
    assert_eq!(reaped.exit_code, Some(9));
    // Of 200 ms, some of it in the kernel, which they ask for the time.
    let used = reaped.user + reaped.system;
    assert!(used.as_millis() > 150, "four threads used {used:?}");
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    compare::exit(&mut findings, &exit, ended, &reaped);
    findings.conclude();
}

/// Lengths of the records of a recording that hold `text`, and of all of `kind`; see `collector/src/source/recording.rs`.
fn lengths(recording: &[u8], kind: u16, text: &[u8]) -> Vec<usize> {
    let head = recording.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let mut rest = &recording[head..];
    let mut found = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk() {
        let len = u32::from_le_bytes(*len);
        // The two from there on announce counters.
        if len >= u32::MAX - 1 {
            break;
        }
        let (record, after) = after.split_at(len.try_into().unwrap());
        let kind_of = u16::from_le_bytes([record[2], record[3]]);
        if kind_of == kind && (text.is_empty() || record.windows(text.len()).any(|window| window == text)) {
            found.push(record.len());
        }
        rest = after;
    }
    found
}

#[test]
fn the_record_of_an_ordinary_exec_is_under_1_kib_and_an_exit_under_256_bytes() {
    const EXEC: u16 = 2;
    const EXIT: u16 = 3;
    const MARK: &[u8] = b"an ordinary exec";
    if !live_or_skip() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording");
    let agent = Agent::start(&["--event", "exec,exit", "--record", path.to_str().unwrap()]);
    let env =
        ["HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"];
    let mut plan = Plan::of("/bin/true");
    plan.args.push(MARK.to_vec());
    plan.env = env.map(|entry| entry.as_bytes().to_vec()).to_vec();
    for _ in 0..10 {
        let child = plan.spawn();
        let pid = child.pid;
        child.reap();
        agent.wait_for_all(pid, "exit", 1);
    }
    let run = agent.stop().expect_success();
    let recording = fs::read(&path).unwrap();
    let (execs, exits) = (lengths(&recording, EXEC, MARK), lengths(&recording, EXIT, b""));
    let mut findings = stream_rules::check(&run.events);
    findings.require("(an exec each)", execs.len() == 10, || format!("{execs:?}"));
    findings.require("(an exit each)", exits.len() >= 10, || format!("{exits:?}"));
    eprintln!("execs {:?}, exits {:?} bytes", execs.iter().max(), exits.iter().max());
    findings.require("(an ordinary exec)", execs.iter().all(|&len| len < 1024), || format!("{execs:?}"));
    findings.require("(an exit)", exits.iter().all(|&len| len < 256), || format!("{exits:?}"));
    findings.conclude();
}
