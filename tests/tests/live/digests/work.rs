//! What digests cost, and which events they delay.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use collector_tests::{
    agent::{Agent, Run},
    digests::{Reported, SETTLED, end, run, write_settled},
    live::live_test,
    stream_rules,
    workload::{images::Images, tiny},
};
use serde_json::{Value, json};

use crate::programs::SUBJECT;

const MIB: u64 = 1 << 20;

/// A file of this size that runs and ends at once; nothing but zeroes follows the code.
fn large(path: &Path, size: u64) {
    write_settled(path, &tiny::image("large"));
    File::options().write(true).open(path).unwrap().set_len(size).unwrap();
    thread::sleep(SETTLED);
}

/// Bytes that a process has read.
fn read_by(pid: u32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// The sizes of all files that the agent has read, by their identity: the machine may run others beside the test's.
fn read_files(run: &Run) -> HashMap<String, u64> {
    let read = run.events.iter().filter(|event| event.origin("process.hash") == Some("proc"));
    let exe = read.filter_map(|event| event.at("process.exe"));
    exe.map(|exe| {
        (format!("{} {} {}", exe["device"], exe["inode"], exe["ctime"]), exe["size"].as_u64().unwrap())
    })
    .collect()
}

/// How late this machine wakes a thread, at worst, while this is done.
fn lateness_during(work: impl FnOnce()) -> Duration {
    const NAP: Duration = Duration::from_millis(1);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let longest = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !is_over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                thread::sleep(NAP);
                longest = longest.max(begin.elapsed().saturating_sub(NAP));
            }
            longest
        });
        work();
        is_over.store(true, Ordering::Relaxed);
        longest.join().unwrap()
    })
}

/// By the coreutils, in one form with the agent's.
fn by_coreutils(path: &Path) -> Value {
    let digest = |program: &str| {
        let output = std::process::Command::new(program).arg(path).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
    };
    json!({ "md5": digest("md5sum"), "sha1": digest("sha1sum"), "sha256": digest("sha256sum") })
}

/// Row 17: each process had its file read once for each algorithm.
#[live_test(alone)]
fn a_file_of_100_mb_that_is_run_2000_times_is_read_once() {
    const SIZE: u64 = 100 * MIB;
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let path = images.path("large");
    large(&path, SIZE);
    let name = path.to_str().unwrap();
    let before = read_by(agent.pid());
    let pids: Vec<u32> = (0..2000).map(|_| run(&[name, "0"])).collect();
    let expected = by_coreutils(&path);
    for pid in pids {
        assert_eq!(Reported::of(&agent, pid, name).hash.as_ref(), Some(&expected));
    }
    let read = read_by(agent.pid()) - before;
    let run = agent.stop().expect_success();
    let once: u64 = read_files(&run).values().sum();
    // Beside files the agent reads of /proc what an exec could not carry.
    assert!((SIZE..once + SIZE / 2).contains(&read), "{read} bytes were read, of files of {once} together");
    stream_rules::check(&run.events).conclude();
}

#[live_test(alone)]
fn a_file_of_1_gb_delays_no_event_for_longer_than_the_wait() {
    const SIZE: u64 = 1024 * MIB;
    const WAIT_MS: u64 = 100;
    let images = Images::new(SUBJECT);
    let config = images.path("collector.toml");
    fs::write(&config, format!("checksums = {{ max_bytes = {}, wait_ms = {WAIT_MS} }}", 2 * SIZE)).unwrap();
    let path = images.path("large");
    large(&path, SIZE);
    let agent = Agent::start(&["--event", "exec,exit", "--config", config.to_str().unwrap()]);
    // What is run beside it is known already: only the large file is to be waited for.
    run(&["/bin/true"]);
    let pid = run(&[path.to_str().unwrap(), "0"]);
    let mut others = Vec::new();
    let late = lateness_during(|| {
        while agent.find(pid, |event| event.action() == "checksums").is_none() {
            others.push(run(&["/bin/true"]));
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(others.len() > 10, "the file was read while {} others ran", others.len());
    let reported = Reported::of(&agent, pid, path.to_str().unwrap());
    assert_eq!(reported.exec.missing("process.hash"), Some("pending"));
    assert_eq!(reported.hash, Some(by_coreutils(&path)));
    let lags = others.iter().flat_map(|&pid| {
        let exit = agent.wait_for(pid, "the exit", |event| event.action() == "exit");
        let exec = agent.wait_for(pid, "the exec", |event| event.action() == "exec");
        [exec, exit].map(|event| event.number_at("capture.lag_ns").unwrap())
    });
    let longest = Duration::from_nanos(lags.max().unwrap());
    // The wait, and what this machine, which may have other work, takes to wake a thread.
    let limit = Duration::from_millis(WAIT_MS + 50) + late;
    assert!(longest < limit, "an event was held up for {longest:?}; threads were woken {late:?} late");
    end(agent);
}

#[live_test(alone)]
fn a_file_over_the_limit_is_too_large_and_is_not_read() {
    const SIZE: u64 = 600 * MIB;
    let images = Images::new(SUBJECT);
    let path = images.path("large");
    large(&path, SIZE);
    let agent = Agent::start(&["--event", "exec"]);
    let before = read_by(agent.pid());
    let pid = run(&[path.to_str().unwrap(), "0"]);
    Reported::of(&agent, pid, path.to_str().unwrap()).expect_none("600 MiB", "too_large");
    assert!(read_by(agent.pid()) - before < SIZE);
    end(agent);
}
