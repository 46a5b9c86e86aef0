//! A stdout with `O_NONBLOCK`, as some supervisors leave it, and a quick reader.

use std::{
    io::{BufRead as _, BufReader},
    os::fd::AsFd as _,
    thread,
};

use collector_tests::{agent::command, live::live_test, wait::until};
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;

use crate::overload::stopped::storm_of;

const PROCESSES: u32 = 2_000;

#[live_test(alone)]
fn a_quick_reader_of_a_nonblocking_stdout_gets_every_event() {
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl_setfl(writer.as_fd(), fcntl_getfl(writer.as_fd()).unwrap() | OFlags::NONBLOCK).unwrap();
    let mut run = command(&["run", "--event", "fork,exec,exit"]);
    let mut child = run.stdout(writer).spawn().unwrap();
    drop(run);
    let mut lines = BufReader::new(reader).lines();
    let start = lines.next().unwrap().unwrap();
    assert!(start.contains("\"agent-start\""), "{start}");
    let reading = thread::spawn(move || -> Vec<String> { lines.map(Result::unwrap).collect() });
    storm_of(PROCESSES);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = until("the end of collector", || child.try_wait().unwrap());
    let stream = reading.join().unwrap();
    assert!(status.success(), "{status}: {:?}", stream.last());
    let stop: Value = serde_json::from_str(stream.last().unwrap()).unwrap();
    let exec = &stop["counters"]["exec"];
    assert!(exec["seen"].as_u64().unwrap() >= PROCESSES.into(), "{exec}");
    for action in ["fork", "exec", "exit"] {
        assert_eq!(stop["counters"][action]["lost"], 0, "{stop}");
    }
}
