//! Any interleaving of forks, execs, exits and connects over a few pids, read early or late, with and without losses: what
//! is reported is what happened.

use collector::event::Event;
use collector_common::Kind;
use proptest::{bool::weighted, collection::vec, prelude::*};

use crate::common::made::INIT;
use crate::lives::{
    agent::Agent,
    oracle::Oracle,
    world::{Step, World},
};

/// A world and the agent that reads its records.
struct Run {
    world: World,
    agent: Agent,
    oracle: Oracle,
}

impl Run {
    /// The agent starts while pid 1 and `scanned.len()` processes below it run. The scan reports those for which there is a
    /// `true`, and the agent finds the others.
    fn new(scanned: &[bool]) -> Self {
        let world = World::new(u32::try_from(scanned.len()).unwrap());
        let mut agent = Agent::new(world.shown.proc.path());
        let mut oracle = Oracle::default();
        for (id, life) in world.lives.iter().enumerate() {
            let by_scan = life.pid() == INIT || scanned[id - 1];
            if by_scan {
                agent.read(&life.made.task_record(Kind::Task, world.now_ns), world.now_ns);
            }
            oracle.found(id, by_scan);
        }
        agent.look_for_the_rest();
        Self { world, agent, oracle }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Read { records } => (0..*records).for_each(|_| self.read()),
            Step::Notice => {
                self.world.pass(1);
                if self.agent.notice(self.world.now_ns) {
                    self.oracle.census_begins(self.world.number);
                }
            }
            Step::Reconcile => {
                self.read_all();
                if self.agent.reconcile() {
                    self.oracle.reconciled(&self.world);
                }
            }
            _ => {
                let before = self.world.number;
                self.world.take(step);
                if let Some(lost) = self.world.ring.back()
                    && self.world.number > before
                    && lost.record.is_none()
                {
                    self.agent.lose(lost);
                }
            }
        }
    }

    fn read_all(&mut self) {
        while !self.world.ring.is_empty() {
            self.read();
        }
    }

    fn read(&mut self) {
        let Some(happening) = self.world.ring.pop_front() else { return };
        self.oracle.learn(&happening);
        let Some(record) = &happening.record else { return };
        // As late as the last record, until all are read.
        let now_ns = if self.world.ring.is_empty() { self.world.now_ns } else { happening.time_ns };
        let event = self.agent.read(record, now_ns);
        self.oracle.check(&happening, event.as_ref(), &self.world);
        if let Some(event) = event {
            let written = serde_json::to_vec(&event).unwrap();
            assert_eq!(serde_json::from_slice::<Event>(&written).unwrap(), event);
        }
    }

    /// All is read, and what was lost is learned again: from now on nothing is in doubt.
    fn settle(&mut self) {
        // One snapshot may be under way that began before the last loss.
        for step in [Step::Reconcile, Step::Notice, Step::Reconcile] {
            self.take(&step);
        }
        self.oracle.all_is_known(&self.world);
    }

    /// Each process that runs connects, forks where a pid is free, and connects again: all of it is reported exactly.
    fn probe(&mut self) {
        let running = self.world.running();
        for _ in 0..2 {
            for life in &running {
                self.world.connect_of(*life);
                self.read_all();
            }
            for life in &running {
                self.world.fork_of(*life);
                self.read_all();
            }
        }
    }
}

fn step(losing: f64) -> impl Strategy<Value = Step> {
    let lost = move || weighted(losing);
    let who = || 0..8_usize;
    prop_oneof![
        6 => (who(), who(), lost()).prop_map(|(by, pid, lost)| Step::Fork { by, pid, lost }),
        3 => (who(), 0..4_usize, lost()).prop_map(|(of, image, lost)| Step::Exec { of, image, lost }),
        5 => (who(), who(), any::<bool>(), weighted(0.1), lost()).prop_map(
            |(of, reaper, waited_for, twice, lost)| Step::Exit { of, reaper, waited_for, twice, lost }
        ),
        1 => Just(Step::Wait),
        3 => (who(), lost()).prop_map(|(of, lost)| Step::Connect { of, lost }),
        2 => (who(), lost()).prop_map(|(of, lost)| Step::Result { of, lost }),
        1 => (1_u64..100).prop_map(|ms| Step::Pass { ms }),
        5 => (1_usize..6).prop_map(|records| Step::Read { records }),
        2 => Just(Step::Notice),
        2 => Just(Step::Reconcile),
    ]
}

fn check(scanned: &[bool], steps: &[Step]) {
    let mut run = Run::new(scanned);
    for step in steps {
        run.take(step);
    }
    run.settle();
    run.probe();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_reported_exactly_where_no_record_is_lost(
        scanned in vec(any::<bool>(), 0..4),
        steps in vec(step(0.0), 0..60),
    ) {
        check(&scanned, &steps);
    }

    #[test]
    fn after_a_loss_nothing_is_reported_that_never_happened_and_then_everything_is_exact_again(
        scanned in vec(any::<bool>(), 0..4),
        steps in vec(step(0.2), 0..60),
    ) {
        check(&scanned, &steps);
    }
}

fn fork(by: usize, pid: usize) -> Step {
    Step::Fork { by, pid, lost: false }
}

fn exec(of: usize, image: usize) -> Step {
    Step::Exec { of, image, lost: false }
}

fn exit(of: usize, waited_for: bool) -> Step {
    Step::Exit { of, reaper: 0, waited_for, twice: false, lost: false }
}

fn losing(mut step: Step) -> Step {
    if let Step::Fork { lost, .. } | Step::Exec { lost, .. } | Step::Exit { lost, .. } = &mut step {
        *lost = true;
    }
    step
}

// What the properties found, as they shrank it.

#[test]
fn a_process_with_a_start_to_the_tick_is_the_one_that_ends() {
    check(&[false, false], &[exit(0, false)]);
}

#[test]
fn a_child_of_a_zombie_whose_fork_was_lost_has_its_own_image() {
    let steps = [fork(0, 0), losing(fork(0, 0)), fork(2, 0), exit(1, false)];
    check(&[], &steps);
}

#[test]
fn a_child_of_a_process_without_any_record_goes_to_the_reaper() {
    check(&[], &[losing(fork(0, 0)), fork(1, 0), exit(0, true), fork(1, 0)]);
}

#[test]
fn a_process_that_began_during_a_proc_snapshot_does_not_keep_an_image_that_its_parent_ran_before() {
    check(&[false, false], &[losing(exec(0, 1)), Step::Notice, fork(0, 0)]);
    check(&[false, false], &[losing(exec(1, 1)), Step::Notice, fork(1, 0), exec(1, 0)]);
}

#[test]
fn a_parent_that_ended_during_a_proc_snapshot_is_no_parent_any_more() {
    let before = [fork(0, 0), losing(exit(0, true)), fork(0, 0), fork(0, 0), fork(0, 0), fork(1, 0)];
    let during = [Step::Notice, fork(0, 0), exit(0, false), exit(4, false), Step::Reconcile];
    check(&[], &[&before[..], &during, &[exit(3, false), fork(7, 0)]].concat());
}

#[test]
fn an_earlier_life_of_the_parent_s_pid_whose_exit_was_lost_is_not_the_parent() {
    let before = [exit(2, false), Step::Wait, losing(exit(0, true))];
    let after = [fork(0, 7), fork(0, 0), fork(0, 0), losing(fork(1, 0)), fork(4, 0), exec(0, 0), fork(0, 0)];
    check(&[false, false], &[&before[..], &after].concat());
}

#[test]
fn a_parent_with_a_start_to_the_tick_that_ended_during_a_proc_snapshot_is_no_parent_any_more() {
    let lost = Step::Exit { of: 4, reaper: 6, waited_for: false, twice: false, lost: true };
    let during = [Step::Notice, fork(0, 0), exit(0, false), fork(1, 0), Step::Reconcile];
    check(&[false, false, false], &[&[lost][..], &during, &[fork(1, 0)]].concat());
}

#[test]
fn a_child_of_a_process_that_ended_without_any_record_has_its_own_image() {
    let unreported = [losing(fork(0, 0)), Step::Notice, Step::Reconcile, fork(1, 0)];
    check(&[], &[&unreported[..], &[losing(exit(0, false))]].concat());
}

#[test]
fn a_child_of_a_process_without_any_record_does_not_have_an_image_that_its_parent_ran_later() {
    let unreported = [losing(fork(0, 0)), Step::Notice, Step::Reconcile, fork(1, 0)];
    check(&[], &[&unreported[..], &[fork(0, 0), exec(1, 1), losing(exit(2, true))]].concat());
}

#[test]
fn ancestors_are_followed_over_a_process_whose_exit_was_lost_and_all_that_ended_after_it() {
    let before = [fork(3, 0), fork(0, 0), exit(4, false), fork(3, 0), losing(exit(2, true)), fork(3, 0)];
    let after = [exit(6, true), exit(4, false), Step::Connect { of: 3, lost: false }];
    check(&[false, false, false], &[&before[..], &after].concat());
}
