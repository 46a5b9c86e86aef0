//! The limit of executions of one image: what is over it is counted exactly, and what comes later is reported again.

use std::{
    process::{Command, Stdio},
    thread,
};

use collector_tests::{
    agent::Agent,
    live::{live_test, scaled},
    stream_rules,
    wait::until,
};

use super::machine::{ALL, Machine, NONE, counter, lines, live, reported_as_lost, stop};

/// Runs it, with nothing to read, to its end.
fn run_once(path: &str) -> u32 {
    let mut child = Command::new(path).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    child.id()
}

#[live_test]
fn a_burst_over_the_limit_is_reported_up_to_the_limit_and_the_rest_is_counted_exactly() {
    let machine = Machine::new();
    let directory = format!("image={}", machine.images.directory().display());
    let agent = Agent::start(&["--event", "exec,exit", "--exec-limit", "1/h:5", "--only", &directory]);
    let pids: Vec<u32> = (0..40).map(|_| run_once(&machine.path("noisy"))).collect();
    // The limit is each image's own.
    let quiet: Vec<u32> = (0..7).map(|_| run_once(&machine.path("quiet"))).collect();
    let run = stop(agent);
    for (pids, reported) in [(&pids, 5), (&quiet, 5)] {
        for (number, pid) in pids.iter().enumerate() {
            let expected = usize::from(number < reported);
            assert_eq!(lines(&run, *pid), [expected, expected, 0, 0], "process {number}");
        }
    }
    for action in ["exec", "exit"] {
        assert_eq!(counter(&run, &format!("{action}.limited")), 35 + 2, "{action}");
        assert_eq!(counter(&run, &format!("{action}.written")), 5 + 5, "{action}");
        assert_eq!(reported_as_lost(&run, action, "filtered"), 35 + 2, "{action}");
    }
}

#[live_test]
fn each_execution_of_an_image_that_two_parents_run_at_once_is_reported_or_counted() {
    let machine = Machine::new();
    let only = format!("image={}", machine.images.directory().display());
    let made: u64 = 2 * u64::from(scaled(300));
    let reported = made / 12;
    let limit = format!("1/h:{reported}");
    let agent = Agent::start(&["--event", "exec,exit", "--exec-limit", &limit, "--only", &only]);
    let path = machine.path("noisy");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..made / 2 {
                    run_once(&path);
                }
            });
        }
    });
    // Not as the other tests: some kernels do not run a program at all while the same CPU is in the midst of it.
    let run = agent.stop().expect_success();
    stream_rules::check(&run.events).conclude();
    let missed = counter(&run, "exec.lost") + counter(&run, "exit.lost");
    for action in ["exec", "exit"] {
        let (written, limited) =
            (counter(&run, &format!("{action}.written")), counter(&run, &format!("{action}.limited")));
        assert!(
            (made.saturating_sub(missed)..=made).contains(&(written + limited)),
            "{action}: {missed} missed"
        );
        assert_eq!(reported_as_lost(&run, action, "filtered"), limited, "{action}");
        // Two at the same moment may count as one.
        assert!((reported..=2 * reported).contains(&written), "{action}: {written}");
    }
}

#[live_test]
fn a_process_over_the_limit_has_no_connect_either_and_a_later_one_is_reported_again() {
    let machine = Machine::new();
    let only = format!("image={}", machine.images.directory().display());
    let agent = Agent::start(&["--exec-limit", "2/s:1", "--only", &only]);
    let mut pids: Vec<u32> = (0..11).map(|_| live(&machine.plan("noisy"))).collect();
    // One more is reported for each half second that making them takes, so one of these is.
    let later = until("a process after the burst that is reported", || {
        pids.push(live(&machine.plan("noisy")));
        let later = pids.iter().skip(11).copied();
        later.into_iter().find(|pid| agent.find(*pid, |event| event.action() == "exit").is_some())
    });
    let run = stop(agent);
    assert_eq!((lines(&run, pids[0]), lines(&run, later)), (ALL, ALL));
    let reported = pids.iter().filter(|pid| lines(&run, **pid) == ALL).count();
    let left_out = pids.iter().filter(|pid| lines(&run, **pid) == NONE).count();
    assert_eq!(reported + left_out, pids.len());
    let left_out = u64::try_from(left_out).unwrap();
    for action in ["exec", "exit", "connect"] {
        assert_eq!(counter(&run, &format!("{action}.limited")), left_out, "{action}");
        assert_eq!(reported_as_lost(&run, action, "filtered"), left_out, "{action}");
    }
}
