//! The programs that tests run: tests/src/bin.

use collector_tests::{
    truth::clock::Wall,
    workload::{
        images::Images,
        reap::Reaped,
        spawn::{Child, Plan},
    },
};

/// Runs the commands that it reads from its standard input.
pub(crate) const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
/// Brings itself into a state that processes are seldom in, then runs the subject.
pub(crate) const STATE: &str = env!("CARGO_BIN_EXE_state");
/// Makes processes whose parents, pids, roots and users are not what they seem.
pub(crate) const LINEAGE: &str = env!("CARGO_BIN_EXE_lineage");
/// Makes load.
pub(crate) const LOAD: &str = env!("CARGO_BIN_EXE_load");
/// Makes processes that exit at once, as fast as it can.
pub(crate) const STORM: &str = env!("CARGO_BIN_EXE_storm");

/// Starts `lineage` with these arguments.
pub(crate) fn lineage(words: &[&str]) -> Child {
    start(LINEAGE, words)
}

/// Starts `state` with these arguments.
pub(crate) fn state(words: &[&str]) -> Child {
    start(STATE, words)
}

fn start(program: &str, words: &[&str]) -> Child {
    let mut plan = Plan::of(program);
    plan.args.extend(words.iter().map(|word| word.as_bytes().to_vec()));
    plan.spawn()
}

/// Starts the subject, and waits until it runs.
pub(crate) fn subject(images: &Images) -> Child {
    let mut child = Plan::of(images.path("subject").to_str().unwrap()).spawn();
    child.ready();
    child
}

/// Ends a subject with `command`: the interval in which it ended, and how.
pub(crate) fn end_subject(mut child: Child, command: &str) -> ((Wall, Wall), Reaped) {
    let before = Wall::now();
    child.send(command);
    let reaped = child.reap();
    ((before, Wall::now()), reaped)
}

/// The process id in the answer `pid PID` of `lineage`.
pub(crate) fn pid_answered(child: &mut Child) -> u32 {
    child.answer().strip_prefix("pid ").unwrap().parse().unwrap()
}
