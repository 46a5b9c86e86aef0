//! Runs the live tests of one binary and prints what rustc's own harness prints, which takes the same arguments.

use std::{any::Any, process::ExitCode, thread};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::{
    needs::{self, Skip},
    turn::Turn,
};

/// A function with `#[live_test]`.
#[derive(Debug)]
pub struct LiveTest {
    module: &'static str,
    name: &'static str,
    run: fn(),
    alone: bool,
    needs_agent: bool,
}

inventory::collect!(LiveTest);

impl LiveTest {
    /// A test that shares the machine with others and needs an agent that can attach to the kernel.
    pub const fn new(module: &'static str, name: &'static str, run: fn()) -> Self {
        Self { module, name, run, alone: false, needs_agent: true }
    }

    /// No other live test runs while this one runs.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// The test runs also where the agent cannot attach to the kernel.
    #[must_use]
    pub const fn without_agent(mut self) -> Self {
        self.needs_agent = false;
        self
    }

    /// The name as rustc's harness has it: without the crate.
    fn path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.name),
            None => self.name.to_owned(),
        }
    }

    fn trial(&'static self) -> Trial {
        Trial::ignorable_test(self.path(), || self.outcome())
    }

    fn outcome(&self) -> Result<Completion, Failed> {
        if let Some(skip) = self.needs_agent.then(needs::obstacle_of_agent).flatten() {
            return skipped(skip);
        }
        let _turn = Turn::take(self.alone);
        // A thread of its own: what a test changes of its thread ends with it, and a panic is printed with its name.
        let thread = thread::Builder::new().name(self.path()).spawn(self.run)?;
        match thread.join() {
            Ok(()) => Ok(Completion::Completed),
            Err(payload) => match payload.downcast::<Skip>() {
                Ok(skip) => skipped(*skip),
                Err(payload) => Err(message(&*payload).into()),
            },
        }
    }
}

fn skipped(skip: Skip) -> Result<Completion, Failed> {
    if needs::is_ci() && !skip.is_permitted_in_ci {
        return Err(format!("CI=true, and a live test cannot run: {}", skip.reason).into());
    }
    Ok(Completion::ignored_with(skip.reason))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

/// The `main` of a binary of live tests: runs those that the command line selects. The tests that share the machine come
/// first, so that those which need it alone do not wait for each other.
pub fn main() -> ExitCode {
    let mut tests: Vec<&'static LiveTest> = inventory::iter::<LiveTest>.into_iter().collect();
    tests.sort_by_key(|test| (test.alone, test.path()));
    let trials = tests.into_iter().map(LiveTest::trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
