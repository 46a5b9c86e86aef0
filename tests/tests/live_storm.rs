//! Processes that live for some ten microseconds, as fast as the machine can make them: each is told of whole, in order,
//! with no one else's words, and so is each connection of processes that end at once.
//!
//! The truth is what the makers of the processes (`storm`) did and saw. These are the tests of the seed's rows 1, 3, 4, 6,
//! 7, 11, 13, 14, 22 and 24 for processes that are gone before anybody could read /proc.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test says what went wrong by a panic, and how fast the storm was where it is asked for its output"
)]

mod storm;

use std::{
    net::{SocketAddr, TcpListener},
    thread,
    time::Instant,
};

use collector_tests::{file_agent::FileAgent, live::live_or_skip, workload::storm::furnish};
use storm::{connections::Connections, maker::Maker, processes::Processes, stream};

const PROCESSES: u32 = 20_000;
const CONNECTING: u32 = 2_000;
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

#[test]
fn of_twenty_thousand_processes_that_exit_at_once_each_is_told_whole_in_order_and_truly() {
    if !live_or_skip() {
        return;
    }
    let _alone = storm::alone();
    let directory = storm::directory();
    let home = directory.path().canonicalize().unwrap();
    furnish(&home);
    let agent = FileAgent::start(&["--event", "exec,exit"]);
    let makers = (0..MAKERS).map(|first| Maker::of_execs(&home, first, MAKERS, PROCESSES / MAKERS)).collect();
    let makers = let_go(makers, "execs");
    agent.catch_up();
    let mut processes = Processes::new(&makers, &home);
    let findings = stream::read(&agent.stop(), &mut processes);
    eprintln!("{}", processes.summary());
    assert_eq!(processes.len(), usize::try_from(PROCESSES).unwrap());
    assert!(findings.compared() > processes.len() * 60, "only {} comparisons", findings.compared());
    findings.conclude();
}

#[test]
fn of_twenty_thousand_short_connects_each_is_ascribed_to_the_process_that_is_gone() {
    if !live_or_skip() {
        return;
    }
    let _alone = storm::alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap();
    let closed = refusing();
    // Until the end of the test's process.
    thread::spawn(move || listener.incoming().for_each(drop));
    let agent = FileAgent::start(&["--event", "exit,connect"]);
    let makers = (0..MAKERS)
        .map(|first| Maker::of_connects(first, MAKERS, CONNECTING / MAKERS, open, closed))
        .collect();
    let makers = let_go(makers, "connects");
    agent.catch_up();
    let mut connections = Connections::new(&makers, open, closed);
    let findings = stream::read(&agent.stop(), &mut connections);
    assert_eq!(connections.len(), usize::try_from(CONNECTING).unwrap() * 10);
    findings.conclude();
}

/// A port of loopback on which nobody listens: below those that a connect is given by itself.
fn refusing() -> SocketAddr {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    SocketAddr::from(([127, 0, 0, 1], (2_000..3_000).find(free).unwrap()))
}
