//! One process's records against its truth.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    events::Event,
    findings::Findings,
    live::is_emulated,
    truth::{
        clock::Wall,
        process::{Ancestor, Facts, ancestors, facts},
        procfs::Stat,
    },
    workload::{
        kinds::{End, SIGNALS, Sample},
        reap::Reaped,
        spawn::Child,
    },
};

/// How far a time in the stream may lie outside the interval in which the test knows it to be.
pub const CLOCK_TOLERANCE: Duration = Duration::from_millis(5);

/// How far CPU time may differ from what wait4(2) says: the kernel counts it by ticks, and scales it afterwards.
const CPU_TOLERANCE: Duration = Duration::from_millis(20);

/// An emulated machine takes for CPU time what its host gave to others, also between the hook of an exit and its end.
const EMULATED_CPU_TOLERANCE: Duration = Duration::from_millis(500);

/// What is known of a process while it lives.
#[derive(Debug)]
pub struct Life {
    /// Its thread-group id.
    pub pid: u32,
    /// What must be said of it.
    pub facts: Facts,
    /// What it descends from.
    pub ancestors: Vec<Ancestor>,
    /// The tick in which it began.
    pub start: Wall,
    /// Before the exec.
    pub exec_after: Wall,
    /// After the exec.
    pub exec_before: Wall,
}

impl Life {
    /// Of a child that runs its last image.
    pub fn of(child: &Child) -> Self {
        let stat = Stat::read(child.pid).unwrap();
        assert_eq!(stat.tty, 0, "tests run without a controlling terminal, so their children have none");
        Self {
            pid: child.pid,
            facts: facts(child.pid),
            ancestors: ancestors(child.pid),
            start: Wall::from_ticks(stat.start_ticks),
            exec_after: child.before,
            exec_before: Wall::now(),
        }
    }

    /// `entity_id`, as computed by the test.
    pub fn entity_id(&self) -> &str {
        self.facts["process.entity_id"].as_str().unwrap()
    }
}

/// What every record of the process must say, of whatever action: its identity.
pub fn identity(findings: &mut Findings, event: &Event, life: &Life) {
    let whose = whose(event);
    for (path, expected) in &life.facts {
        findings.equal(path, &whose, event.at(path), Some(expected));
    }
    starts_in_its_tick(findings, event, "process.start", life.start);
    let parent = life.ancestors.first().unwrap();
    starts_in_its_tick(findings, event, "process.parent.start", parent.start);
    ids(findings, event, life);
    line_of_ancestors(findings, event, life);
    for absent in ["process.tty", "process.is_kernel", "process.vpid"] {
        findings.equal(absent, &whose, event.at(absent), None);
    }
    findings.require(
        "process.name (last part of executable)",
        {
            let executable = event.text_at("process.executable").unwrap_or_default();
            executable.starts_with('/') && event.text_at("process.name") == executable.rsplit('/').next()
        },
        || &event.text,
    );
}

/// `exec_id` begins with `entity_id`, and so does the parent's.
fn ids(findings: &mut Findings, event: &Event, life: &Life) {
    let exec_id = event.text_at("process.exec_id").unwrap_or_default();
    let exec_time = exec_id.strip_prefix(life.entity_id()).and_then(|rest| rest.strip_prefix(':'));
    let in_time = exec_time.and_then(|ns| ns.parse().ok()).is_some_and(|ns| {
        Wall::from_boot_ns(ns).is_between(life.exec_after, life.exec_before, CLOCK_TOLERANCE)
    });
    findings.require("process.exec_id", in_time, || &event.text);
    if let Some(parents) = event.text_at("process.parent.exec_id") {
        let of_parent = event.text_at("process.parent.entity_id").unwrap_or("?");
        findings
            .require("process.parent.exec_id", parents.starts_with(&format!("{of_parent}:")), || &event.text);
    }
}

/// From the parent up to pid 1, each with what it is.
pub fn line_of_ancestors(findings: &mut Findings, event: &Event, life: &Life) {
    let none = Vec::new();
    let reported = event.at("process.ancestors").and_then(Value::as_array).unwrap_or(&none);
    findings.require("process.ancestors (how many)", reported.len() == life.ancestors.len(), || {
        format!("{}: {} of {}: {reported:?}", whose(event), reported.len(), life.ancestors.len())
    });
    for (index, (ancestor, expected)) in reported.iter().zip(&life.ancestors).enumerate() {
        for (field, expected) in &expected.fields {
            let whose = format!("{}, ancestor {index}", whose(event));
            findings.equal(
                &format!("process.ancestors[].{field}"),
                &whose,
                ancestor.get(field),
                Some(expected),
            );
        }
        let start = ancestor.get("start").and_then(Value::as_str).and_then(Wall::parse);
        findings.require(
            "process.ancestors[].start",
            start.is_some_and(|it| expected.start.tick_holds(it)),
            || format!("{}, ancestor {index}: {ancestor}, {}", whose(event), expected.start),
        );
    }
}

fn starts_in_its_tick(findings: &mut Findings, event: &Event, field: &str, tick: Wall) {
    let start = event.text_at(field).and_then(Wall::parse);
    findings.require(field, start.is_some_and(|start| tick.tick_holds(start)), || {
        format!("{}: {:?} is not in the tick from {tick}", whose(event), event.at(field))
    });
}

/// What its maker knows of a sample's image and arguments; on its exec and on its exit.
pub fn image_and_args(findings: &mut Findings, event: &Event, sample: &Sample) {
    let whose = whose(event);
    let flag = |holds: bool| holds.then_some(json!(true));
    let mut equal = |path: &str, expected: Option<Value>| {
        findings.equal(path, &whose, event.at(path), expected.as_ref());
    };
    equal("process.executable", Some(json!(sample.executable)));
    equal("process.script", sample.script.clone().map(Value::from));
    equal("process.exe.memfd", flag(sample.memfd));
    if let Some(deleted) = sample.deleted {
        equal("process.exe.deleted", flag(deleted));
    }
    let directory = sample.plan.directory.canonicalize().unwrap();
    equal("process.working_directory", Some(json!(directory.to_string_lossy())));
    equal("container.id", sample.container_id.clone().map(Value::from));
    equal("container.runtime", sample.container_id.as_ref().map(|_| json!("docker")));
    for bit in ["setuid", "setgid"] {
        let of_file = event.at("process.exe.mode").and_then(Value::as_str).unwrap_or("0000");
        let digit = of_file.as_bytes().first().map_or(0, |digit| digit - b'0');
        equal(&format!("process.exe.{bit}"), flag(digit & if bit == "setuid" { 4 } else { 2 } != 0));
    }
    equal("process.args_count", Some(json!(sample.args.len())));
    strings(findings, event, "process.args", &sample.args);
}

/// The digests are those of the image: on the record itself or, where that says `pending`, on a later one.
pub fn digests(findings: &mut Findings, event: &Event, later: Option<&Event>, expected: &Value) {
    let pending = event.missing("process.hash") == Some("pending");
    let reported_by = if pending { later } else { Some(event) };
    let reported = reported_by.and_then(|event| event.at("process.hash"));
    let whose = format!("{} ({:?})", whose(event), event.missing("process.hash"));
    findings.equal("process.hash", &whose, reported, Some(expected));
    let source = reported_by.and_then(|event| event.text_at("process.hash_source"));
    findings
        .require("process.hash_source", matches!(source, Some("exe" | "path" | "memory")), || &event.text);
}

/// A list of strings exactly, with the bytes of those that are not UTF-8 beside it.
pub fn strings(findings: &mut Findings, event: &Event, path: &str, expected: &[Vec<u8>]) {
    let text: Vec<_> = expected.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    let reported = event.at(path);
    // An absent field and an empty list differ only where the stream says that the field is missing.
    let nothing = expected.is_empty() && reported.is_none() && event.missing(path).is_none();
    if !nothing {
        findings.equal(path, &whose(event), reported, Some(&json!(text)));
    }
    for (index, bytes) in expected.iter().enumerate() {
        let place = format!("{path}[{index}]");
        let base64 = str::from_utf8(bytes).is_err().then(|| STANDARD.encode(bytes));
        findings.require(
            &format!("capture.bytes of {path}"),
            event.bytes(&place) == base64.as_deref(),
            || format!("{}: {place}: expected {base64:?}, was {:?}", whose(event), event.bytes(&place)),
        );
    }
}

/// A shell reads the command line back as the arguments.
pub fn command_line(findings: &mut Findings, event: &Event) {
    let line = event.text_at("process.command_line").unwrap_or_default();
    // From its standard input: an argument is at most 128 KiB.
    let shell = Command::new("/bin/sh")
        .args(["-c", &format!("printf '%s\\0' {line}")])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&shell.stdout).into_owned();
    let read: Vec<&str> = output.strip_suffix('\0').unwrap_or(&output).split('\0').collect();
    findings.equal("process.command_line", &whose(event), Some(&json!(read)), event.at("process.args"));
}

/// What only an exec says: when, the environment, the thread.
pub fn exec(findings: &mut Findings, event: &Event, life: &Life, env: &[Vec<u8>]) {
    let whose = whose(event);
    within(
        findings,
        event,
        "@timestamp (of an exec)",
        event.timestamp(),
        (life.exec_after, life.exec_before),
    );
    findings.equal("process.thread.id", &whose, event.at("process.thread.id"), Some(&json!(life.pid)));
    strings(findings, event, "process.env_vars", env);
    let exec_time = event.text_at("process.exec_id").and_then(|id| id.rsplit(':').next()?.parse().ok());
    let difference = exec_time.zip(event.timestamp()).map(|(ns, at)| (Wall::from_boot_ns(ns).0 - at.0).abs());
    findings.require(
        "process.exec_id (when it happened)",
        difference.is_some_and(|ns| ns < 5_000_000),
        || &event.text,
    );
    let written =
        event.timestamp().zip(event.number_at("capture.lag_ns")).map(|(at, lag)| at.0 + i128::from(lag));
    let tolerance = i128::try_from(CLOCK_TOLERANCE.as_nanos()).unwrap();
    findings.require("capture.lag_ns", written.is_some_and(|at| at <= event.read_at.0 + tolerance), || {
        &event.text
    });
}

/// What only an exit says: how it ended, when, what it used.
pub fn exit(findings: &mut Findings, event: &Event, ended: (Wall, Wall), reaped: &Reaped) {
    let whose = whose(event);
    within(findings, event, "@timestamp (of an exit)", event.timestamp(), ended);
    let end = event.text_at("process.end").and_then(Wall::parse);
    within(findings, event, "process.end", end, ended);
    let start = event.text_at("process.start").and_then(Wall::parse);
    let seconds =
        end.zip(start).and_then(|(end, start)| u64::try_from((end.0 - start.0) / 1_000_000_000).ok());
    findings.equal("process.uptime", &whose, event.at("process.uptime"), seconds.map(Value::from).as_ref());
    let mut equal = |path: &str, expected: Option<Value>| {
        findings.equal(path, &whose, event.at(path), expected.as_ref());
    };
    equal("process.exit_code", reaped.exit_code.map(Value::from));
    equal("process.exit.signal", reaped.signal.map(Value::from));
    equal("process.usage.max_rss_bytes", Some(json!(reaped.max_rss_bytes)));
    let dumped = event.at("process.exit.core_dumped").and_then(Value::as_bool).unwrap_or(false);
    findings
        .require("process.exit.core_dumped", dumped == reaped.core_dumped, || format!("{whose}: {reaped:?}"));
    cpu_times(findings, event, reaped);
}

/// On an emulated machine only the sum is compared. Its kernels split it by what each tick found, and never lower a part
/// that they reported once, so what wait4 reports depends on earlier readers.
fn cpu_times(findings: &mut Findings, event: &Event, reaped: &Reaped) {
    let reported = |field: &str| event.number_at(&format!("process.usage.{field}")).map(Duration::from_nanos);
    let (user, system) = (reported("user_ns"), reported("system_ns"));
    let both = user.zip(system).map(|(user, system)| user + system);
    let parts = [("user_ns", user, reaped.user), ("system_ns", system, reaped.system)];
    let sum = [("(sum)", both, reaped.user + reaped.system)];
    let (compared, tolerance) =
        if is_emulated() { (&sum[..], EMULATED_CPU_TOLERANCE) } else { (&parts[..], CPU_TOLERANCE) };
    for (field, reported, truth) in compared {
        let close = reported.is_some_and(|reported| reported.abs_diff(*truth) <= tolerance);
        findings.require(&format!("process.usage.{field}"), close, || {
            format!("{}: {reported:?}, wait4: {truth:?}", event.text)
        });
    }
}

/// The signal that a sample was sent has its name.
pub fn signal_name(findings: &mut Findings, event: &Event, sample: &Sample) {
    let name = match sample.end {
        End::Exit(_) => None,
        End::Signal(sent) => SIGNALS.iter().find(|(number, _)| *number == sent).map(|(_, name)| json!(name)),
    };
    findings.equal(
        "process.exit.signal_name",
        &whose(event),
        event.at("process.exit.signal_name"),
        name.as_ref(),
    );
}

/// An exit has all of the identity that the exec has.
pub fn same_identity(findings: &mut Findings, exec: &Event, other: &Event) {
    const SAME: [&str; 17] = [
        "entity_id",
        "exec_id",
        "start",
        "name",
        "executable",
        "exe",
        "script",
        "args",
        "args_count",
        "command_line",
        "working_directory",
        "user",
        "real_user",
        "saved_user",
        "group",
        "parent.entity_id",
        "pid",
    ];
    for field in SAME {
        let path = format!("process.{field}");
        let label = format!("{path} (as on the exec, on {})", other.action());
        findings.equal(&label, &whose(other), other.at(&path), exec.at(&path));
    }
    let line = |event: &Event| -> Option<Vec<Value>> {
        let ancestors = event.at("process.ancestors")?.as_array()?;
        Some(
            ancestors
                .iter()
                .map(|ancestor| {
                    json!([ancestor.get("pid"), ancestor.get("entity_id"), ancestor.get("start")])
                })
                .collect(),
        )
    };
    findings.require("process.ancestors (as on the exec)", line(exec) == line(other), || &other.text);
}

fn within(
    findings: &mut Findings,
    event: &Event,
    field: &str,
    reported: Option<Wall>,
    (early, late): (Wall, Wall),
) {
    let holds = reported.is_some_and(|reported| reported.is_between(early, late, CLOCK_TOLERANCE));
    findings.require(field, holds, || {
        format!(
            "{}: {} is not between {early} and {late}",
            whose(event),
            reported.map_or_else(String::new, |it| it.to_string())
        )
    });
}

fn whose(event: &Event) -> String {
    format!(
        "{} of {} ({})",
        event.action(),
        event.pid().unwrap_or(0),
        event.text_at("process.command_line").unwrap_or("?").chars().take(60).collect::<String>()
    )
}
