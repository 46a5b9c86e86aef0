//! The stream as a whole: how it begins and ends, where it goes, what is left out of it, and what happens when no process
//! takes it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use collector_tests::{
    agent::{self, Agent, Run, read_stream},
    findings::Findings,
    live::live_test,
    stream_rules,
    wait::until,
    workload::spawn::Plan,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Runs /bin/true to its end.
fn run_true() -> u32 {
    let child = Plan::of("/bin/true").spawn();
    let pid = child.pid;
    child.reap();
    pid
}

/// Ten processes that have ended when this returns; the agent may not have reported any of them yet.
fn burst() -> Vec<u32> {
    (0..10).map(|_| run_true()).collect()
}

/// Each of these is in the stream with this action once. A pid may have been another process's before, so at least once
/// is what a pid alone can show.
fn all_reported(findings: &mut Findings, run: &Run, pids: &[u32], action: &str) {
    for pid in pids {
        let count = run.of(*pid, action).len();
        findings.require(&format!("({action} of each process)"), count >= 1, || format!("{pid}: {count}"));
    }
}

fn ends_in_order_on(signal: Signal) {
    let agent = Agent::start(&["--event", "exec,exit"]);
    let pids = burst();
    // At once: what the kernel has recorded and the agent has not read is drained.
    let run = agent.stop_with(signal).expect_success();
    let mut findings = stream_rules::check(&run.events);
    all_reported(&mut findings, &run, &pids, "exec");
    all_reported(&mut findings, &run, &pids, "exit");
    findings.conclude();
}

#[live_test]
fn sigterm_drains_and_ends_with_agent_stop() {
    ends_in_order_on(Signal::TERM);
}

#[live_test]
fn sigint_drains_and_ends_with_agent_stop() {
    ends_in_order_on(Signal::INT);
}

#[live_test]
fn a_file_gets_the_whole_stream() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let output = format!("file:{}", path.display());
    // Standard output too, which shows when the agent has started.
    let agent = Agent::start(&["--event", "exec,exit", "--output", "stdout", "--output", &output]);
    let pids = burst();
    let run = agent.stop().expect_success();

    let in_file = read_stream(&path);
    let mut findings = stream_rules::check(&run.events);
    findings.add(stream_rules::check(&in_file));
    findings.require("(as many records in the file)", in_file.len() == run.events.len(), || {
        format!("{} in the file, {} on standard output", in_file.len(), run.events.len())
    });
    for (one, other) in run.events.iter().zip(&in_file) {
        findings
            .require("(the same lines)", one.text == other.text, || format!("{}\n{}", one.text, other.text));
    }
    all_reported(&mut findings, &run, &pids, "exit");
    assert!(fs::read(&path).unwrap().ends_with(b"}\n"), "the last line is whole");
    findings.conclude();
}

/// The agent with an output that this test makes itself.
fn start_into(output: impl Into<Stdio>, args: &[&str]) -> Child {
    agent::command(&["run", "--event", "exec"])
        .args(args)
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the end, with processes meanwhile, so that there is something to write. An agent that still runs so long
/// after its start gets SIGTERM, once: a second one might be meant to hurry it.
fn end_of(mut child: Child, mut grace: Option<Duration>) -> (Option<i32>, String) {
    let mut begin = None;
    let ended = until("the end of the agent", || {
        run_true();
        let ended = child.try_wait().unwrap();
        if ended.is_some() {
            return ended;
        }
        // It has not been waited for, so the pid is still its own.
        if begin.is_none() && ends_by_sigterm(&child) {
            begin = Some(Instant::now());
        }
        let is_over = |grace: &mut Duration| begin.is_some_and(|begin| begin.elapsed() > *grace);
        if grace.take_if(is_over).is_some() {
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        }
        None
    });
    let mut stderr = child.stderr.take().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut text).unwrap();
    (ended.code(), text)
}

/// Whether it takes SIGTERM for a request. Before it does, which takes seconds on an emulated machine, the signal kills it.
fn ends_by_sigterm(agent: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
    let caught = caught.map(|mask| u64::from_str_radix(mask, 16).unwrap());
    // A zombie catches nothing.
    caught.is_some_and(|mask| mask & (1 << (Signal::TERM.as_raw() - 1)) != 0)
}

#[live_test]
fn a_reader_that_closes_its_pipe_ends_the_agent_quietly() {
    let mut child = start_into(Stdio::piped(), &[]);
    let mut first = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut first).unwrap();
    assert!(first.contains("agent-start"), "{first}");
    drop(lines);
    let (code, stderr) = end_of(child, None);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[live_test]
fn an_output_with_no_room_is_named_with_its_error_and_the_agent_ends_with_1() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for (child, name) in [
        (start_into(full(), &[]), "stdout"),
        (start_into(Stdio::null(), &["--output", "file:/dev/full"]), "/dev/full"),
    ] {
        // Whether it gives up by itself or goes on, at its end it must say that lines were not written.
        let (code, stderr) = end_of(child, Some(Duration::from_secs(2)));
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.to_lowercase().contains("no space left"), "{stderr}");
        assert!(stderr.contains(name), "{name} is not named: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

fn counters(run: &Run, action: &str, counter: &str) -> u64 {
    let stop = run.events.last().unwrap();
    stop.number_at(&format!("counters.{action}.{counter}")).unwrap_or_else(|| unreachable!("{}", stop.text))
}

#[live_test]
fn forks_are_left_out_by_default_and_counted_as_filtered() {
    let agent = Agent::start(&[]);
    let pids = burst();
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    findings.require("(no fork)", run.of_action("fork").count() == 0, || "a fork is written");
    let made = u64::try_from(pids.len()).unwrap();
    let (seen, filtered) = (counters(&run, "fork", "seen"), counters(&run, "fork", "filtered"));
    findings.require("(forks are filtered)", seen >= made && filtered == seen, || {
        format!("{filtered} of {seen}")
    });
    all_reported(&mut findings, &run, &pids, "exec");
    all_reported(&mut findings, &run, &pids, "exit");
    findings.conclude();
}

#[live_test]
fn a_fork_that_is_configured_comes_before_its_exec() {
    let agent = Agent::start(&["--event", "fork,exec,exit"]);
    let mut child = Plan::of("/bin/cat").spawn();
    let pid = child.pid;
    let parent = std::process::id();
    child.send("a line");
    assert_eq!(child.answer(), "a line");
    let exec = agent.wait_for(pid, "the exec", |event| event.action() == "exec");
    drop(child);
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    let place = |action| {
        let is_it = |event: &&std::sync::Arc<_>| {
            let event: &collector_tests::events::Event = event;
            event.action() == action && event.at("process.entity_id") == exec.at("process.entity_id")
        };
        run.events
            .iter()
            .filter(is_it)
            .filter_map(|event| event.number_at("event.sequence"))
            .collect::<Vec<_>>()
    };
    let (forks, execs, exits) = (place("fork"), place("exec"), place("exit"));
    let counts = (forks.len(), execs.len(), exits.len());
    findings.require("(each once)", counts == (1, 1, 1), || format!("{counts:?}"));
    findings
        .require("(in order)", forks < execs && execs < exits, || format!("{forks:?} {execs:?} {exits:?}"));
    let forks = run.of(pid, "fork");
    let fork = forks.last().unwrap();
    let expected = Value::from(parent);
    findings.equal("process.parent.pid", "fork", fork.at("process.parent.pid"), Some(&expected));
    // Not the image that it runs later: at the fork it runs its parent's.
    let image = fs::read_link("/proc/self/exe").unwrap();
    let expected = Value::from(image.to_str().unwrap());
    findings.equal("process.executable", "fork", fork.at("process.executable"), Some(&expected));
    findings.conclude();
}

#[live_test]
fn an_event_that_was_not_selected_is_not_written() {
    for (asked, left_out) in [("exec", "exit"), ("exit", "exec")] {
        let agent = Agent::start(&["--event", asked]);
        let pids = burst();
        let run = agent.stop().expect_success();
        let mut findings = stream_rules::check(&run.events);
        all_reported(&mut findings, &run, &pids, asked);
        findings.require("(left out)", run.of_action(left_out).count() == 0, || left_out);
        let made = u64::try_from(pids.len()).unwrap();
        let filtered = counters(&run, left_out, "filtered");
        findings.require("(filtered)", filtered >= made, || format!("{left_out}: {filtered}"));
        findings.conclude();
    }
}

#[live_test]
fn the_compact_format_has_one_line_for_each_event_and_no_json() {
    let mut child = start_into(Stdio::piped(), &["--format", "compact"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(!first.is_empty() && serde_json::from_str::<Value>(&first).is_err(), "{first}");
    let hostile = Command::new("/bin/true").arg("\x1b[31mto a terminal\nline").status().unwrap();
    assert!(hostile.success());
    let line = lines.map(Result::unwrap).find(|line| line.contains("to a terminal")).unwrap();
    assert!(line.contains("true"), "{line:?}");
    assert!(!line.contains("\x1b["), "an argument must not speak to the terminal: {line:?}");
    assert!(line.contains("line"), "an argument must not break the line: {line:?}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

/// An agent that a test started by itself. It must not outlive a test that fails.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In a UTS namespace of the agent's own, so that the machine keeps its name.
#[live_test]
fn a_change_of_the_host_s_name_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let stream = directory.path().join("stream.jsonl");
    let script = "hostname first; exec \"$0\" run --event exec --output \"$1\"";
    let mut unshare = Command::new("/usr/bin/unshare");
    unshare.args(["--uts", "/bin/sh", "-c", script]).arg(agent::binary());
    unshare.arg(format!("file:{}", stream.display())).stdin(Stdio::null());
    let mut agent = Started(unshare.spawn().unwrap());
    let has_name = |name: &str| {
        let text = fs::read_to_string(&stream).unwrap_or_default();
        text.contains(&format!("\"name\":\"{name}\",\"boot\"")).then_some(())
    };
    until("agent-start", || has_name("first"));
    let namespace = format!("--uts=/proc/{}/ns/uts", agent.0.id());
    let renamed = Command::new("/usr/bin/nsenter").args([&namespace, "hostname", "second"]).status().unwrap();
    assert!(renamed.success());
    until("an event of the second name", || {
        run_true();
        has_name("second")
    });
    kill_process(Pid::from_child(&agent.0), Signal::TERM).unwrap();
    assert!(until("the end of collector", || agent.0.try_wait().unwrap()).success());
}

/// The counters are readable while the agent runs.
#[live_test]
fn sigusr2_prints_the_counters_of_the_run_and_of_each_output() {
    let agent = Agent::start(&["--event", "exec"]);
    run_true();
    agent.signal(Signal::USR2);
    agent.wait_for_stderr("events seen: ");
    agent.wait_for_stderr("output stdout: ");
    let run = agent.stop().expect_success();
    let line = run.stderr.lines().find_map(|line| line.strip_prefix("collector: output stdout: ")).unwrap();
    let numbers: Vec<u64> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [written, delivered, dropped, pending] = numbers[..] else { panic!("{line}") };
    assert!(written > 0 && written == delivered + dropped + pending, "{line}");
}
