//! States that processes are seldom in, and what the stream says of them: a terminal, a login, another user for access to
//! files, secrets among the arguments, a program that the kernel itself started.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by a panic")]

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::Command,
    sync::Arc,
};

use collector_tests::{
    agent::{Agent, Run},
    events::Event,
    live::live_or_skip,
    stream_rules,
    truth::procfs::Stat,
    workload::{
        images::Images,
        spawn::{Child, Plan},
        storm::USER,
        tiny,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
const STATE: &str = env!("CARGO_BIN_EXE_state");

fn state(words: &[&str]) -> Child {
    let mut plan = Plan::of(STATE);
    plan.args.extend(words.iter().map(|word| word.as_bytes().to_vec()));
    plan.spawn()
}

/// Runs the subject in a state; the records of its exec and its exit, and what /proc said of it.
fn subject_in(words: &[&str]) -> (Run, [Arc<Event>; 2], Stat, String) {
    let agent = Agent::start(&["--event", "exec,exit"]);
    let mut child = state(words);
    child.ready();
    let pid = child.pid;
    let (stat, login) =
        (Stat::read(pid).unwrap(), fs::read_to_string(format!("/proc/{pid}/loginuid")).unwrap());
    child.tell("exit 3");
    child.reap();
    let events = [("exec", 2), ("exit", 1)]
        .map(|(action, count)| agent.wait_for_all(pid, action, count).pop().unwrap());
    (agent.stop().expect_success(), events, stat, login)
}

#[test]
fn a_controlling_terminal_is_told_by_its_device() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let (run, events, stat, _) = subject_in(&["terminal", images.path("subject").to_str().unwrap()]);
    let device = u64::try_from(stat.tty).unwrap();
    let (major, minor) = (libc::major(device), libc::minor(device));
    assert_eq!(major, 136, "a terminal of /dev/pts");
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let expected = json!({"char_device": {"major": major, "minor": minor}});
        findings.equal("process.tty", event.action(), event.at("process.tty"), Some(&expected));
        let leader = event.number_at("process.session_leader.pid");
        findings.require("process.session_leader.pid", leader == event.pid(), || &event.text);
    }
    findings.conclude();
}

#[test]
fn a_login_is_told_with_its_session() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let user = USER.to_string();
    let (run, events, _, login) = subject_in(&["login", &user, images.path("subject").to_str().unwrap()]);
    assert_eq!(login, user);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let told = event.at("process.audit.login_uid");
        findings.equal("process.audit.login_uid", event.action(), told, Some(&json!(USER)));
        let session = event.number_at("process.audit.session");
        findings.require("process.audit.session", session.is_some_and(|session| session > 0), || &event.text);
    }
    findings.conclude();
}

#[test]
fn a_user_for_access_to_files_is_told_where_it_is_another() {
    if !live_or_skip() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let agent = Agent::start(&["--event", "exec,exit,connect"]);
    let child = state(&["fs-user", &listener.local_addr().unwrap().to_string()]);
    let pid = child.pid;
    child.reap();
    let [exec, connect, exit] =
        ["exec", "connect", "exit"].map(|action| agent.wait_for_all(pid, action, 1).remove(0));
    let run = agent.stop().expect_success();
    let mut findings = stream_rules::check(&run.events);
    for event in [&connect, &exit] {
        for field in ["process.fs_user.id", "process.fs_group.id"] {
            findings.equal(field, event.action(), event.at(field), Some(&json!(USER.to_string())));
        }
        findings.equal("process.user.id", event.action(), event.at("process.user.id"), Some(&json!("0")));
    }
    findings.equal("process.fs_user", "exec", exec.at("process.fs_user"), None);
    findings.conclude();
}

/// Row 13: not in the environment, the arguments, the command line, nor as the parent's on a child's records.
#[test]
fn a_secret_is_nowhere_in_the_stream_and_that_it_was_there_is_told() {
    const SECRET: &str = "hunter2";
    if !live_or_skip() {
        return;
    }
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
        let mut told: Vec<&Value> = event
            .at("capture.redacted")
            .and_then(Value::as_array)
            .map(|told| told.iter().collect())
            .unwrap_or_default();
        // The child has its parent's environment.
        told.retain(|place| event.pid() == Some(pid.into()) || !place.as_str().unwrap().contains("env"));
        findings.equal("capture.redacted", event.action(), Some(&json!(told)), Some(&expected));
    }
    let shown = exec.at("process.args").and_then(|args| args.get(8));
    findings.equal("process.args[8]", "exec", shown, Some(&json!("db://me:[redacted]@db/")));
    findings.conclude();
}

/// A hierarchy of version 1 cgroups of this test's own, whose release agent the kernel runs when a group becomes empty.
/// Nothing of the machine's own is touched, as `core_pattern` or the path of modprobe would be.
struct Hierarchy {
    directory: TempDir,
}

impl Hierarchy {
    fn new(release_agent: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // A name is a hierarchy: each has its own, with the directory's.
        let name = directory.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.');
        let options = format!("none,name=collector-{name}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "cgroup", "-o", &options, "none"]).arg(directory.path());
        assert!(mount.status().unwrap().success(), "a kernel without cgroups of version 1");
        fs::write(directory.path().join("release_agent"), release_agent.to_str().unwrap()).unwrap();
        fs::create_dir(directory.path().join("child")).unwrap();
        fs::write(directory.path().join("child/notify_on_release"), "1").unwrap();
        Self { directory }
    }

    /// A process that is in the group for its short life.
    fn come_and_go(&self) {
        let procs =
            File::options().write(true).open(self.directory.path().join("child/cgroup.procs")).unwrap();
        Plan { cgroup: Some(Arc::new(procs)), ..Plan::of("/bin/true") }.spawn().reap();
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.directory.path().join("child"));
        let _ = Command::new("umount").arg(self.directory.path()).status();
    }
}

/// What the kernel gives its helpers, by `cgroup1_release_agent`.
const ENV_OF_HELPERS: [&str; 2] = ["HOME=/", "PATH=/sbin:/bin:/usr/sbin:/usr/bin"];

fn is_helper(event: &Event) -> bool {
    event.at("process.usermode_helper") == Some(&json!(true))
}

#[test]
fn a_program_that_the_kernel_starts_is_told_whole_and_as_the_kernel_s() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let path = images.path("released");
    tiny::write(&path, &tiny::image("helper"));
    let hierarchy = Hierarchy::new(&path);
    let agent = Agent::start(&["--event", "fork,exec,exit"]);
    hierarchy.come_and_go();
    let executable = json!(path);
    let of = |action: &str| {
        agent.wait_for_any(action, |event| {
            event.action() == action && event.at("process.executable") == Some(&executable)
        })
    };
    let events = ["exec", "exit"].map(of);
    let run = agent.stop().expect_success();
    drop(hierarchy);
    let mut findings = stream_rules::check(&run.events);
    for event in &events {
        let mut equal = |field: &str, expected| {
            findings.equal(field, event.action(), event.at(field), Some(&expected));
        };
        equal("process.usermode_helper", json!(true));
        equal("process.args", json!([executable, "/child"]));
        equal("process.comm", json!("released"));
        equal("process.working_directory", json!("/"));
        equal("process.parent.pid", json!(2));
        equal("process.parent.comm", json!("kthreadd"));
        equal("process.user.id", json!("0"));
        findings.equal("process.is_kernel", event.action(), event.at("process.is_kernel"), None);
    }
    findings.equal(
        "process.env_vars",
        "exec",
        events[0].at("process.env_vars"),
        Some(&json!(ENV_OF_HELPERS)),
    );
    findings.equal("process.exit_code", "exit", events[1].at("process.exit_code"), Some(&json!(0)));
    let others = run.of_action("exec").filter(|event| is_helper(event)).count();
    findings.require("(no other exec is a helper's)", others == 1, || others);
    findings.conclude();
}

#[test]
fn a_second_image_of_a_helper_is_one_too_and_its_children_are_not() {
    if !live_or_skip() {
        return;
    }
    let images = Images::new(SUBJECT);
    let tiny = images.path("second");
    tiny::write(&tiny, &tiny::image("second"));
    let script = images.script("released.sh", &format!("#!/bin/sh\n/bin/true\nexec {} 7\n", tiny.display()));
    let hierarchy = Hierarchy::new(&script);
    let agent = Agent::start(&["--event", "exec,exit"]);
    hierarchy.come_and_go();
    let second = json!(tiny);
    let exit = agent.wait_for_any("the exit", |event| {
        event.action() == "exit" && event.at("process.executable") == Some(&second)
    });
    let run = agent.stop().expect_success();
    drop(hierarchy);
    let pid = u32::try_from(exit.pid().unwrap()).unwrap();
    let mut findings = stream_rules::check(&run.events);
    let execs = run.of(pid, "exec");
    findings.require("(two images)", execs.len() == 2, || execs.len());
    for event in execs.iter().chain([&exit]) {
        findings.require("process.usermode_helper", is_helper(event), || &event.text);
    }
    findings.equal("process.script", "exec", execs[0].at("process.script"), Some(&json!(script)));
    let is_child = |event: &&Arc<Event>| event.number_at("process.parent.pid") == Some(pid.into());
    let children: Vec<_> = run.events.iter().filter(is_child).collect();
    findings.require("(a child's exec and exit)", children.len() == 2, || children.len());
    findings.require("(a child is none)", !children.iter().any(|event| is_helper(event)), || pid);
    findings.conclude();
}
