//! `collector inspect` reports what ps(1), ss(8) and ls(1) report, and says what it cannot find out.

mod files;
mod sockets;

use std::{
    fs,
    io::ErrorKind,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Instant,
};

use collector_tests::{
    agent,
    live::{live_test, needs},
    unprivileged::Unprivileged,
    wait,
};
use serde_json::Value;

/// A child that is killed and reaped at the end.
struct Subject(Child);

impl Subject {
    /// `sleep`, with what this process leaves open to it. It sleeps already, and maps no further files.
    fn sleep() -> Self {
        let subject = Self::of(Command::new("sleep").arg("1000"));
        wait::until("a sleep that sleeps", || {
            fs::read_to_string(format!("/proc/{}/stat", subject.pid()))
                .ok()
                .filter(|stat| stat.contains(") S "))
        });
        subject
    }

    fn of(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // A fork by another test's thread has, until its exec, all files that are being written here.
        let child = wait::until("an image that no process has open for writing", || match command.spawn() {
            Err(busy) if busy.kind() == ErrorKind::ExecutableFileBusy => None,
            answer => Some(answer.unwrap()),
        });
        // Since std waits for the exec, /proc shows the new image from here on.
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(pid: u32, args: &[&str]) -> Output {
    agent::command(&["inspect", &pid.to_string()]).args(args).output().unwrap()
}

/// What is reported of a process that stays.
#[track_caller]
fn inspect(pid: u32) -> Value {
    let output = run(pid, &["--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn tool(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Leaves a descriptor open to the children that are started from now on.
fn leave_open(descriptor: &impl std::os::fd::AsFd) {
    rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty()).unwrap();
}

fn descriptors(reported: &Value) -> &[Value] {
    reported["descriptors"].as_array().unwrap()
}

#[live_test(without_agent)]
fn an_inspection_agrees_with_ps() {
    let subject = Subject::sleep();
    let reported = inspect(subject.pid());
    let format = "pid=,ppid=,uid=,gid=,nlwp=,comm=,nice=,vsz=";
    let said = tool("ps", &["-o", format, "-p", &subject.pid().to_string()]);
    let said: Vec<&str> = said.split_whitespace().collect();
    let process = &reported["process"];
    let ours = [
        process["pid"].to_string(),
        process["parent"]["pid"].to_string(),
        process["user"]["id"].as_str().unwrap().to_owned(),
        process["group"]["id"].as_str().unwrap().to_owned(),
        reported["status"]["threads"].to_string(),
        process["comm"].as_str().unwrap().to_owned(),
        reported["cpu"]["nice"].to_string(),
        (reported["memory"]["virtual_bytes"].as_u64().unwrap() / 1024).to_string(),
    ];
    assert_eq!(said, ours);
    assert_eq!(process["args"], serde_json::json!(["sleep", "1000"]));
    assert_eq!(reported["status"]["state"], "sleeping");
}

#[live_test(without_agent)]
fn the_digests_are_those_of_the_image() {
    let subject = Subject::sleep();
    let reported = inspect(subject.pid());
    let sum = tool("sha256sum", &[&format!("/proc/{}/exe", subject.pid())]);
    assert_eq!(reported["process"]["hash"]["sha256"].as_str(), sum.split_whitespace().next());
}

#[live_test(without_agent)]
fn a_zombie_is_shown_as_one_and_has_not_vanished() {
    let mut subject = Subject::sleep();
    subject.0.kill().unwrap();
    wait::until("the child is a zombie", || {
        fs::read_to_string(format!("/proc/{}/stat", subject.pid())).ok().filter(|stat| stat.contains(") Z "))
    });
    let reported = inspect(subject.pid());
    assert_eq!(reported["status"]["state"], "zombie");
    assert_eq!(reported["vanished"], false);
    assert_eq!(reported["process"]["comm"], "sleep");
}

#[live_test(without_agent)]
fn an_inspection_of_a_process_that_ends_meanwhile_prints_what_it_read_and_exits_with_1() {
    // When the inspection is half way depends on the machine: each try ends the process a little later, beyond the time
    // that a whole one takes, and then from the beginning again.
    let whole = Subject::sleep();
    let begin = Instant::now();
    inspect(whole.pid());
    let step = begin.elapsed() / 80;
    let half_way = (0..400).map(|number| step * (number % 100)).find_map(|delay| {
        let mut subject = Subject::sleep();
        let mut inspection = agent::command(&["inspect", &subject.pid().to_string(), "--format", "json"]);
        let inspection = inspection.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(delay);
        subject.0.kill().unwrap();
        subject.0.wait().unwrap();
        let output = inspection.wait_with_output().unwrap();
        (output.status.code() == Some(1) && !output.stdout.is_empty()).then_some((subject.pid(), output))
    });
    let (pid, output) = half_way.expect("no process ended while it was read");
    let reported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reported["vanished"], true);
    assert_eq!(reported["process"]["pid"], pid);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("process {pid} ended while it was read")), "{said}");
}

#[live_test(without_agent)]
fn a_kernel_task_says_that_it_is_one() {
    needs::kernel_threads();
    let reported = inspect(2);
    assert_eq!(reported["process"]["is_kernel"], true);
    assert_eq!(reported["capture"]["missing"]["process.executable"], "kernel_task");
}

#[live_test(without_agent)]
fn the_id_of_a_thread_is_answered_with_its_process() {
    let output = thread::spawn(|| {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        run(u32::try_from(tid).unwrap(), &[])
    });
    let output = output.join().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("is a thread of process {}", std::process::id())), "{said}");
    assert!(output.stdout.is_empty());
}

#[live_test(without_agent)]
fn a_pid_without_a_process_is_a_failure_with_a_clear_message() {
    let output = run(4_000_000_000, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(1), "collector: there is no process 4000000000; it may have ended\n")
    );
}

#[live_test(without_agent)]
fn a_pid_that_is_not_a_number_is_a_usage_error() {
    let output = agent::command(&["inspect", "me"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[live_test(without_agent)]
fn an_unprivileged_user_sees_which_fields_were_denied() {
    needs::root();
    let unprivileged = Unprivileged::new();
    let subject = Subject::sleep();
    let output = unprivileged.command(&["inspect", &subject.pid().to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reported["process"]["comm"], "sleep");
    assert_eq!(reported["process"]["args"][0], "sleep");
    assert_eq!(reported["status"]["threads"], 1);
    for field in ["descriptors", "io", "process.executable", "process.env_vars", "process.hash"] {
        assert_eq!(
            reported["capture"]["missing"][field], "denied",
            "{field}: {}",
            reported["capture"]["missing"]
        );
    }
}

#[live_test(without_agent)]
fn the_output_follows_the_schema() {
    let schema = agent::command(&["schema", "--of", "inspect"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let subject = Subject::sleep();
    for pid in [subject.pid(), std::process::id()] {
        let reported = inspect(pid);
        let errors: Vec<String> = validator.iter_errors(&reported).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[live_test(without_agent)]
fn text_has_no_colours_in_a_pipe() {
    let subject = Subject::sleep();
    let output = run(subject.pid(), &["--format", "text"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\x1b'));
    for section in ["process ", "status", "memory", "cpu", "limits", "threads (1)", "descriptors ("] {
        assert!(text.lines().any(|line| line.starts_with(section)), "{section} is not in {text}");
    }
}
