//! Files that are swapped under the agent a thousand times never have a wrong digest.

use std::{fs::File, io::Read, thread, time::Duration};

use collector_tests::{
    agent::Agent,
    digests::{Held, Reported, end},
    events::Event,
    live::{live_test, scaled},
    truth::files,
    workload::images::Images,
};
use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;

use super::swap::{self, Step, Swap};
use crate::programs::SUBJECT;

#[live_test]
fn a_file_that_is_swapped_a_thousand_times_never_has_a_wrong_digest() {
    let steps = usize::try_from(scaled(1000)).unwrap();
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let paths = [images.path("one"), images.path("two")];
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed()));
    let mut staying: [Option<_>; 2] = [None, None];
    let mut ran = Vec::new();
    for number in 0..steps {
        let (step, place) = step(&mut runner);
        // In place nothing can be written while it runs.
        if matches!(step.swap, Swap::Rewrite | Swap::RewriteAndHide) {
            staying[place] = None;
        }
        let bytes = swap::bytes(number, step.stays);
        step.swap.put(&paths[place], &bytes);
        thread::sleep(step.settles);
        let (pid, child) = swap::run(&paths[place], number, step.stays);
        staying[place] = child;
        ran.push((step, pid, number, bytes));
    }
    let mut with_digest = 0;
    for (step, pid, number, bytes) in &ran {
        let exec = agent.wait_for(*pid, "the exec", |event| is_step(event, *number));
        let reported = Reported::in_the_end(&agent, exec);
        match &reported.hash {
            Some(hash) => {
                assert_eq!(hash, &files::hashes(bytes), "{step:?}, step {number}: {}", reported.exec.text);
                with_digest += 1;
            }
            None => assert!(
                matches!(reported.missing.as_deref(), Some("exited" | "unstable")),
                "{step:?}, step {number}: {}",
                reported.exec.text
            ),
        }
    }
    assert!(with_digest > steps / 4, "only {with_digest} of {steps} had a digest");
    end(agent);
}

/// The second argument identifies the exec of a step: a process id may be used again.
fn is_step(event: &Event, number: usize) -> bool {
    let args = event.at("process.args").and_then(|args| args.as_array());
    args.and_then(|args| args.get(2)) == Some(&json!(number.to_string()))
}

/// Other steps in each run; what they were is in the message of a failure.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    File::open("/dev/urandom").unwrap().read_exact(&mut seed).unwrap();
    seed
}

fn step(runner: &mut TestRunner) -> (Step, usize) {
    let settles = prop_oneof![Just(0), Just(0), 0..8u64, Just(20)];
    let swap = (0..Swap::ALL.len()).prop_map(|number| Swap::ALL[number]);
    let all = (swap, settles, any::<bool>(), 0..2usize);
    let (swap, settles, stays, place) = all.new_tree(runner).unwrap().current();
    (Step { swap, settles: Duration::from_millis(settles), stays }, place)
}

/// Two writes in one tick of the kernel's clock leave the same change time, unless a process reads it in between.
#[live_test(alone)]
fn a_file_that_is_written_to_in_the_tick_of_its_exec_never_has_the_digest_of_what_came_after() {
    const FILES: usize = 200;
    let images = Images::new(SUBJECT);
    let agent = Agent::start(&["--event", "exec"]);
    let held = Held::still(&agent);
    let ran: Vec<_> = (0..FILES)
        .map(|number| {
            let path = images.path(&format!("image {number}"));
            swap::make(&path, &swap::bytes(number, false));
            let (pid, child) = swap::run(&path, number, true);
            swap::rewrite_at_once(&path, &swap::bytes(FILES + number, false));
            drop(child);
            (pid, number)
        })
        .collect();
    drop(held);
    for (pid, number) in ran {
        let exec = agent.wait_for(pid, "the exec", |event| is_step(event, number));
        let reported = Reported::in_the_end(&agent, exec);
        let is_true =
            reported.hash.as_ref().is_none_or(|hash| *hash == files::hashes(&swap::bytes(number, false)));
        assert!(is_true, "file {number} of {FILES}: {}", reported.exec.text);
    }
    end(agent);
}
