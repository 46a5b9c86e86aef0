//! Execs: which image, by which thread, in which directory, and how large the records are.

mod arguments;
mod paths;

use std::{fs, path::PathBuf, sync::Arc};

use collector_tests::{
    agent::Agent,
    compare::{self, Life},
    digests::{Reported, write_settled},
    live::live_test,
    stream_rules,
    truth::{clock::Wall, files, procfs},
    workload::{images::Images, spawn::Plan, tiny, tiny32},
};
use serde_json::{Value, json};

use crate::programs::{SUBJECT, end_subject, subject};

fn tiny_image(images: &Images) -> PathBuf {
    let path = images.path("tiny");
    tiny::write(&path, &tiny::image("deep"));
    path
}

/// A second image in one process, by its leader or by another thread: `verb` is the subject's command.
fn second_image(verb: &str) {
    let images = Images::new(SUBJECT);
    let second = images.copy("second image", 0o755).to_str().unwrap().replace("second image", "second");
    fs::rename(images.path("second image"), &second).unwrap();
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = subject(&images);
    let first = Life::of(&child);
    let exec_after = Wall::now();
    child.send(&format!("{verb} {second} with two"));
    child.ready();
    let life = Life { exec_after, ..Life::of(&child) };
    let pid = child.pid;
    let (ended, reaped) = end_subject(child, "exit 42");
    agent.wait_for_all(pid, "exit", 1);
    for exec in agent.wait_for_all(pid, "exec", 2) {
        agent.wait_for_digests(&exec);
    }
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    assert_eq!(first.entity_id(), life.entity_id(), "an exec does not make a process");
    let (execs, exits) = (run.of_entity(life.entity_id(), "exec"), run.of_entity(life.entity_id(), "exit"));
    findings.require("(an exec for each image, one exit)", (execs.len(), exits.len()) == (2, 1), || {
        format!("{} execs, {} exits", execs.len(), exits.len())
    });
    let ([one, two], [exit]) = (&execs[..], &exits[..]) else { return findings.conclude() };
    let args = [&*second, "with", "two"].map(|arg| arg.as_bytes().to_vec());
    compare::identity(&mut findings, one, &first);
    // On a busy machine the digests come later.
    let later = run.of_entity(life.entity_id(), "checksums");
    let later = later.iter().find(|event| event.text_at("process.exec_id") == two.text_at("process.exec_id"));
    for event in [two, exit] {
        compare::identity(&mut findings, event, &life);
        compare::strings(&mut findings, event, "process.args", &args);
        compare::digests(&mut findings, event, later.map(|later| &**later), &images.subject.hashes);
    }
    compare::exec(&mut findings, two, &life, &[]);
    compare::exit(&mut findings, exit, ended, &reaped);
    compare::same_identity(&mut findings, two, exit);
    let differ = one.text_at("process.exec_id") != two.text_at("process.exec_id");
    findings.require("process.exec_id (of its own for each image)", differ, || &two.text);
    findings.conclude();
}

#[live_test]
fn a_second_exec_is_a_new_image_of_the_same_process() {
    second_image("exec");
}

#[live_test]
fn an_exec_by_a_thread_other_than_the_leader_belongs_to_the_process() {
    second_image("exec-in-thread");
}

#[live_test]
fn an_exec_that_fails_is_not_reported() {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = subject(&images);
    let life = Life::of(&child);
    for path in ["/nonexistent", "/etc/passwd", "/tmp"] {
        child.send(&format!("exec {path}"));
        assert!(child.answer().starts_with("failed"));
    }
    let pid = child.pid;
    end_subject(child, "exit 0");
    agent.wait_for_all(pid, "exit", 1);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let execs = run.of_entity(life.entity_id(), "exec");
    findings.require("(only the exec that succeeded)", execs.len() == 1, || execs.len());
    findings.conclude();
}

#[live_test]
fn a_working_directory_that_is_gone_has_its_name_and_no_more() {
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let gone = images.subdirectory("gone");
    let mut child =
        Plan { directory: gone.clone(), ..Plan::of(images.path("subject").to_str().unwrap()) }.spawn();
    child.ready();
    fs::remove_dir(&gone).unwrap();
    // It stays there over a second exec, at which the directory has no name any more.
    let path = images.path("subject");
    child.send(&format!("exec {} again", path.display()));
    child.ready();
    let link = fs::read_link(procfs::file(child.pid, "cwd")).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("{} (deleted)", gone.display()));
    let execs = agent.wait_for_all(child.pid, "exec", 2);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for exec in &execs {
        let reported = exec.at("process.working_directory");
        findings.equal("process.working_directory", &exec.text, reported, Some(&json!(gone)));
    }
    findings.conclude();
}

/// Row 14.
#[live_test]
fn a_second_exec_after_a_chdir_has_the_new_directory() {
    let images = Images::new(SUBJECT);
    let subject = images.path("subject");
    let (one, two) = (images.subdirectory("one"), images.subdirectory("two (deleted)"));
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = Plan { directory: one.clone(), ..Plan::of(subject.to_str().unwrap()) }.spawn();
    child.ready();
    child.send(&format!("chdir {}", two.display()));
    assert_eq!(child.answer(), "changed");
    child.send(&format!("exec {}", subject.display()));
    child.ready();
    child.send("exit 0");
    let pid = child.pid;
    child.reap();
    let execs = agent.wait_for_all(pid, "exec", 2);
    let exit = agent.wait_for_all(pid, "exit", 1).remove(0);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for (event, directory) in [(&execs[0], &one), (&execs[1], &two), (&exit, &two)] {
        let reported = event.at("process.working_directory");
        findings.equal("process.working_directory", event.action(), reported, Some(&json!(directory)));
    }
    findings.conclude();
}

#[live_test]
#[cfg(target_arch = "x86_64")]
fn a_32_bit_program_is_reported_like_any_other() {
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
    let digests = Reported::in_the_end(&agent, Arc::clone(&events[0]));
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

#[live_test]
fn the_record_of_an_ordinary_exec_is_under_1_kib_and_an_exit_under_256_bytes() {
    const EXEC: u16 = 2;
    const EXIT: u16 = 3;
    const MARK: &[u8] = b"an ordinary exec";
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
