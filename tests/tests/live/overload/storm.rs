//! Processes that live for some ten microseconds, as fast as the machine can make them: each is reported whole, in order, with
//! no other process's words, and so is each connection of processes that end at once.
//!
//! The truth is what the makers of the processes (the program `storm`) did and saw.

use std::{
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    thread,
    time::Instant,
};

use collector_tests::{
    file_agent::FileAgent,
    live::{live_test, scaled, scaled_to},
    workload::{
        spawn::{Child, Plan},
        storm::{EVEN, furnish},
    },
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use super::{connections::Connections, lives::Lives, maker::Maker, processes::Processes, stream};

const PROCESSES: u32 = 20_000;

const ALL_KINDS_ALIKE: u32 = 8_000;

const CONNECTING: u32 = 2_000;

const LIVES: u32 = 300;

/// Each has every second number.
const MAKERS: u32 = 2;

/// Lets the makers go, all at once, and waits for their reports.
fn let_go(makers: Vec<Maker>, what: &str) -> Vec<Maker> {
    let begin = Instant::now();
    let makers: Vec<_> = makers.into_iter().map(|maker| thread::spawn(|| maker.run())).collect();
    let makers: Vec<Maker> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
    let processes: usize = makers.iter().map(|maker| maker.born.len()).sum();
    eprintln!("{what}: {processes} processes in {:?}", begin.elapsed());
    makers
}

/// Makes processes of the numbers from `first` on, beside `busy` others that want all CPUs, and compares the stream with
/// what their makers saw.
fn storm_of_execs(first: u32, count: u32, busy: usize) {
    let count = scaled(count);
    let args = ["sh", "-c", "while :; do :; done"].map(|word| word.as_bytes().to_vec()).to_vec();
    let plan = Plan { args, ..Plan::of("/bin/sh") };
    let busy: Vec<Child> = (0..busy).map(|_| plan.spawn()).collect();
    let directory = super::directory();
    let home = directory.path().canonicalize().unwrap();
    furnish(&home);
    let agent = FileAgent::start(&["--event", "exec,exit"]);
    let numbers = first..first + MAKERS;
    let makers = numbers.map(|first| Maker::of_execs(&home, first, MAKERS, count / MAKERS)).collect();
    let makers = let_go(makers, "execs");
    drop(busy);
    agent.catch_up();
    let mut processes = Processes::new(&makers, &home);
    let findings = stream::read(&agent.stop(), &mut processes);
    eprintln!("{}", processes.summary());
    assert_eq!(processes.len(), usize::try_from(count).unwrap());
    assert!(findings.compared() > processes.len() * 60, "only {} comparisons", findings.compared());
    findings.conclude();
}

#[live_test(alone)]
fn each_of_twenty_thousand_processes_that_exit_at_once_is_reported_whole_in_order_and_correctly() {
    storm_of_execs(0, PROCESSES, 0);
}

/// 8 KB of records for each. One of eight runs a file that is gone by then, and whose inode is the next one's.
#[live_test(alone)]
fn each_process_of_a_storm_of_all_kinds_is_reported_whole_in_order_and_correctly() {
    storm_of_execs(EVEN, ALL_KINDS_ALIKE, 0);
}

/// Row 22: the agent's thread has priority over those that keep all CPUs busy.
#[live_test(alone)]
fn each_process_of_a_storm_is_reported_while_all_cpus_are_busy() {
    storm_of_execs(0, PROCESSES / 4, 8);
}

#[live_test(alone)]
fn each_of_twenty_thousand_short_connects_is_attributed_to_its_process() {
    let ports = Ports::new();
    let (open, closed) = (ports.open, ports.closed);
    let agent = FileAgent::start(&["--event", "exit,connect"]);
    let connecting = scaled(CONNECTING);
    let makers = (0..MAKERS)
        .map(|first| Maker::of_connects(first, MAKERS, connecting / MAKERS, open, closed))
        .collect();
    let makers = let_go(makers, "connects");
    agent.catch_up();
    let mut connections = Connections::new(&makers, open, closed);
    let findings = stream::read(&agent.stop(), &mut connections);
    assert_eq!(connections.len(), usize::try_from(connecting).unwrap() * 10);
    findings.conclude();
}

/// Rows 7 and 20, for processes that are gone before /proc could show which process has the pid now.
#[live_test(alone)]
fn a_pid_used_again_hundreds_of_times_has_the_arguments_and_connections_of_each_life() {
    let ports = Ports::new();
    let (open, closed) = (ports.open, ports.closed);
    let agent = FileAgent::start(&["--event", "exec,exit,connect"]);
    let lives = scaled_to(LIVES, 60);
    let makers = let_go(vec![Maker::of_lives(lives, open, closed)], "lives");
    agent.catch_up();
    let first = makers[0].born[0].pid;
    let again = makers[0].born.iter().filter(|born| born.pid == first).count();
    let lives = usize::try_from(lives).unwrap();
    assert_eq!(again, lives, "all lives have pid {first}");
    let mut reported = Lives::new(&makers, open, closed);
    let findings = stream::read(&agent.stop(), &mut reported);
    assert_eq!(reported.connections(), lives * 10);
    findings.conclude();
}

/// Two ports of loopback.
struct Ports {
    /// Accepts until the end of the test's process.
    open: SocketAddr,
    /// Refuses: the socket is bound, so that no other process takes the port, and does not listen.
    closed: SocketAddr,
    _bound: OwnedFd,
}

impl Ports {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        thread::spawn(move || listener.incoming().for_each(drop));
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        // Below the ports that the kernel gives to a connect.
        let closed = (2_000..3_000)
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
            .find(|address| bind(&socket, address).is_ok())
            .unwrap();
        Self { open, closed, _bound: socket }
    }
}
