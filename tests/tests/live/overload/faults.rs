//! What goes wrong around the agent while processes come and go as fast as they can: a reader that stops, the agent itself
//! stopped, the smallest ring, a full disk. The stream counts what is lost to the last event, and afterwards the process table
//! is right again.

use std::{fs, time::Duration};

use collector_tests::{live::live_test, truth::procfs::Stat, wait::until, workload::mounts::Mounted};
use rustix::fs::statvfs;

use super::{
    losses,
    shell::{Shell, kill_and_wait},
    stopped::{FaultyAgent, storm_for, storm_of},
};

/// How long the stream is not read, or the agent does not run.
const STOPPED: Duration = Duration::from_secs(10);

const SMALLEST_RING: &str = "65536";

#[live_test(alone)]
fn a_reader_that_stops_for_ten_seconds_costs_events_that_are_counted_and_no_parent() {
    let agent = FaultyAgent::start(&["--event", "fork,exec,exit"]);
    let mut before = Shell::start("/bin/sh");
    agent.stop_reader();
    storm_for(STOPPED);
    let mut meanwhile = Shell::start("/bin/sh");
    agent.resume_reader();
    for shell in [&mut before, &mut meanwhile] {
        agent.check_child_of(shell, "/dash");
    }
    let events = agent.finish();
    let lost = losses::check(&events);
    eprintln!("lost: {lost:?}");
    assert!(lost.contains_key(&("exec".into(), "queue_full".into())), "nothing was lost: {lost:?}");
}

/// What becomes of the table of an agent that does not run for ten seconds.
fn an_agent_that_stops(args: &[&str]) {
    let agent = FaultyAgent::start(&[&["--event", "fork,exec,exit"], args].concat());
    // A chain whose middle will end unseen, and a process that will make an exec unseen.
    let mut top = Shell::start("/bin/sh");
    top.nest();
    let middle = top.pid;
    top.nest();
    let mut changing = Shell::start("/bin/sh");
    agent.check_child_of(&mut top, "/dash");
    agent.check_child_of(&mut changing, "/dash");

    agent.stop();
    storm_for(STOPPED);
    kill_and_wait(middle);
    until("another parent", || (Stat::read(top.pid).unwrap().ppid != middle).then_some(()));
    changing.become_image("/bin/bash");
    let mut meanwhile = Shell::start("/bin/sh");
    storm_of(500);
    agent.resume();

    agent.check_child_of(&mut top, "/dash");
    agent.check_child_of(&mut changing, "/bash");
    agent.check_child_of(&mut meanwhile, "/dash");
    let events = agent.finish();
    let lost = losses::check(&events);
    eprintln!("lost: {lost:?}");
    for action in ["fork", "exec", "exit"] {
        assert!(lost.contains_key(&(action.into(), "ring_full".into())), "no {action} was lost: {lost:?}");
    }
}

#[live_test(alone)]
fn an_agent_that_is_stopped_for_ten_seconds_counts_what_it_missed_and_finds_the_parents_again() {
    an_agent_that_stops(&[]);
}

#[live_test(alone)]
fn an_agent_with_the_smallest_ring_that_is_stopped_counts_what_it_missed_and_finds_the_parents_again() {
    an_agent_that_stops(&["--ring-bytes", SMALLEST_RING]);
}

#[live_test(alone)]
fn the_smallest_ring_loses_under_a_storm_only_what_it_counts() {
    let agent = FaultyAgent::start(&["--event", "fork,exec,exit", "--ring-bytes", SMALLEST_RING]);
    storm_of(10_000);
    agent.check_child_of(&mut Shell::start("/bin/sh"), "/dash");
    eprintln!("lost: {:?}", losses::check(&agent.finish()));
}

#[live_test(alone)]
fn a_full_disk_loses_only_what_is_counted_and_no_line_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Mounted::small(directory.path(), 1 << 20);
    let agent = FaultyAgent::start_into(disk.directory.join("stream.jsonl"), &["--event", "fork,exec,exit"]);
    storm_of(20_000);
    until("a full disk", || (statvfs(&disk.directory).unwrap().f_bfree == 0).then_some(()));
    until("the report of it", || agent.said().contains("No space left").then_some(()));
    let len = fs::metadata(disk.directory.join("stream.jsonl")).unwrap().len();
    assert!(len <= 1 << 20, "more was written than there is room for: {len}");
    disk.grow(1 << 30);
    agent.check_child_of(&mut Shell::start("/bin/sh"), "/dash");
    let stderr = agent.said();
    assert!(stderr.contains("No space left"), "the full disk was not reported: {stderr}");
    let lost = losses::check(&agent.finish());
    eprintln!("lost: {lost:?}");
    assert!(lost.contains_key(&("exec".into(), "queue_full".into())), "nothing was lost: {lost:?}");
}
