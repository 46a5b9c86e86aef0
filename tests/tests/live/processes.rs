//! Processes of ten kinds, each held alive until the stream has its exec: every exec and exit is there once, in order, and
//! says exactly what is true.

use std::{collections::HashMap, fs, sync::Arc};

use collector_tests::{
    agent::{Agent, Run},
    compare::{self, CLOCK_TOLERANCE, Life},
    events::Event,
    findings::Findings,
    live::{live_test, scaled},
    stream_rules,
    truth::{cgroups::ContainerCgroup, clock::Wall, procfs},
    workload::{
        images::Images,
        kinds::{End, Kind, Sample},
        reap::Reaped,
        spawn::Child,
    },
};

use crate::programs::SUBJECT;

const OF_EACH_KIND: u32 = 100;

const ALIVE_AT_A_TIME: usize = 50;

/// A sample's whole life.
struct Lived {
    sample: Sample,
    life: Life,
    /// Between these it ended.
    ended: (Wall, Wall),
    reaped: Reaped,
}

#[live_test]
fn a_thousand_processes_of_ten_kinds_are_reported_once_in_order_and_correctly() {
    let images = Images::new(SUBJECT);
    let cgroup = ContainerCgroup::docker();
    let agent = Agent::start(&["--event", "exec,exit"]);
    let of_each_kind = usize::try_from(scaled(OF_EACH_KIND)).unwrap();
    // All kinds side by side, so that what belongs to one process and is reported of another shows.
    let samples: Vec<(Kind, usize)> =
        (0..of_each_kind).flat_map(|number| Kind::ALL.map(|kind| (kind, number))).collect();
    let mut lived = Vec::new();
    for batch in samples.chunks(ALIVE_AT_A_TIME) {
        lived.extend(live_together(&agent, batch, &images, &cgroup));
    }
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    let lost = stream_rules::lost(&run.events, &["exec", "exit"]);
    findings.require("(nothing is lost)", lost == 0, || format!("{lost} lost"));
    let records = Records::of(&run);
    for one in &lived {
        check(&mut findings, &records, one);
    }
    assert!(findings.compared() > lived.len() * 100, "only {} comparisons", findings.compared());
    findings.conclude();
}

/// Starts a batch, reads the truth of each, waits until the stream has its exec, and ends it.
fn live_together(
    agent: &Agent,
    batch: &[(Kind, usize)],
    images: &Images,
    cgroup: &ContainerCgroup,
) -> Vec<Lived> {
    let alive: Vec<(Sample, Child, Life)> = batch
        .iter()
        .map(|&(kind, number)| {
            let sample = Sample::new(kind, number, images, cgroup);
            let mut child = sample.plan.spawn();
            child.ready();
            agrees_with_proc(&sample, child.pid);
            let life = Life::of(&child);
            (sample, child, life)
        })
        .collect();
    for (_, child, life) in &alive {
        let exec = agent.wait_for(child.pid, "the exec", |event| is_of(event, "exec", life.exec_after));
        agent.wait_for_digests(&exec);
    }
    alive
        .into_iter()
        .map(|(sample, mut child, life)| {
            for (command, answer) in &sample.work {
                child.send(command);
                assert_eq!(child.answer(), *answer);
            }
            let before = Wall::now();
            match sample.end {
                End::Exit(code) => child.send(&format!("exit {code}")),
                End::Signal(signal) => child.kill(signal),
            }
            let reaped = child.reap();
            match sample.end {
                End::Exit(code) => assert_eq!(reaped.exit_code, Some(code.into())),
                End::Signal(signal) => assert_eq!(reaped.signal, Some(u64::try_from(signal).unwrap())),
            }
            Lived { sample, life, ended: (before, Wall::now()), reaped }
        })
        .collect()
}

/// What the maker of a sample says of it must be what /proc says, or the test would require something untrue.
fn agrees_with_proc(sample: &Sample, pid: u32) {
    assert_eq!(procfs::strings(pid, "cmdline").unwrap(), sample.args);
    assert_eq!(procfs::strings(pid, "environ").unwrap(), sample.plan.env);
    assert_eq!(procfs::executable(pid).unwrap(), sample.executable);
    assert!(fs::read(procfs::file(pid, "exe")).unwrap() == sample.image.bytes);
    let directory = fs::read_link(procfs::file(pid, "cwd")).unwrap();
    assert_eq!(directory, sample.plan.directory.canonicalize().unwrap());
}

/// A pid may be used again in a run, but not before its process has been waited for.
fn is_of(event: &Event, action: &str, not_before: Wall) -> bool {
    let late = Wall(i128::MAX / 2);
    event.action() == action
        && event.timestamp().is_some_and(|at| at.is_between(not_before, late, CLOCK_TOLERANCE))
}

/// The stream by process, with the place of each record in it.
struct Records {
    by_pid: HashMap<u64, Vec<(usize, Arc<Event>)>>,
}

impl Records {
    fn of(run: &Run) -> Self {
        let mut by_pid: HashMap<u64, Vec<(usize, Arc<Event>)>> = HashMap::new();
        for (place, event) in run.events.iter().enumerate() {
            if let Some(pid) = event.pid() {
                by_pid.entry(pid).or_default().push((place, Arc::clone(event)));
            }
        }
        Self { by_pid }
    }

    /// The records of an action in a process's life.
    fn in_life(&self, one: &Lived, action: &str) -> Vec<(usize, Arc<Event>)> {
        let all = self.by_pid.get(&u64::from(one.life.pid)).map_or(&[][..], Vec::as_slice);
        let in_life = |event: &Event| {
            event.action() == action
                && event
                    .timestamp()
                    .is_some_and(|at| at.is_between(one.life.exec_after, one.ended.1, CLOCK_TOLERANCE))
        };
        all.iter().filter(|(_, event)| in_life(event)).cloned().collect()
    }

    /// The digests of an image that came later than its exec.
    fn checksums(&self, pid: u32, exec_id: Option<&str>) -> Option<Arc<Event>> {
        let all = self.by_pid.get(&pid.into())?;
        let of_image =
            |event: &Event| event.action() == "checksums" && event.text_at("process.exec_id") == exec_id;
        all.iter().map(|(_, event)| event).find(|event| of_image(event)).cloned()
    }
}

fn check(findings: &mut Findings, records: &Records, one: &Lived) {
    let (execs, exits) = (records.in_life(one, "exec"), records.in_life(one, "exit"));
    let who = || format!("{:?}, pid {}", one.sample.kind, one.life.pid);
    findings.require("(one exec)", execs.len() == 1, || format!("{}: {} execs", who(), execs.len()));
    findings.require("(one exit)", exits.len() == 1, || format!("{}: {} exits", who(), exits.len()));
    let ([(exec_place, exec)], [(exit_place, exit)]) = (&execs[..], &exits[..]) else { return };
    findings.require("(exec before exit)", exec_place < exit_place, who);

    let later = records.checksums(one.life.pid, exec.text_at("process.exec_id"));
    for event in [exec, exit] {
        compare::identity(findings, event, &one.life);
        compare::image_and_args(findings, event, &one.sample);
        compare::digests(findings, event, later.as_deref(), &one.sample.image.hashes);
    }
    compare::exec(findings, exec, &one.life, &one.sample.plan.env);
    compare::command_line(findings, exec);
    compare::same_identity(findings, exec, exit);
    compare::exit(findings, exit, one.ended, &one.reaped);
    compare::signal_name(findings, exit, &one.sample);
}
