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
            return skipped(skip, needs::is_ci());
        }
        let _turn = Turn::take(self.alone);
        // A thread of its own: what a test changes of its thread ends with it, and a panic is printed with its name.
        let thread = thread::Builder::new().name(self.path()).spawn(self.run)?;
        match thread.join() {
            Ok(()) => Ok(Completion::Completed),
            Err(payload) => match payload.downcast::<Skip>() {
                Ok(skip) => skipped(*skip, needs::is_ci()),
                Err(payload) => Err(message(&*payload).into()),
            },
        }
    }
}

fn skipped(skip: Skip, is_ci: bool) -> Result<Completion, Failed> {
    if is_ci && !skip.is_permitted_in_ci {
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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    use libtest_mimic::Completion;

    use super::{LiveTest, Skip, skipped};

    fn outcome(run: fn()) -> Result<Completion, String> {
        let outcome = LiveTest::new("live::exec", "a_test", run).without_agent().outcome();
        outcome.map_err(|failed| failed.message().unwrap().to_owned())
    }

    #[test]
    fn a_test_that_returns_passes_and_one_that_panics_fails_with_its_message() {
        assert!(matches!(outcome(|| ()), Ok(Completion::Completed)));
        let number = outcome(|| panic!("not {}", 7)).err();
        assert_eq!(number.as_deref(), Some("not 7"));
        assert_eq!(outcome(|| panic!("a text")).err().as_deref(), Some("a text"));
    }

    #[test]
    fn a_skip_is_ignored_with_its_reason_and_fails_in_ci() {
        let skip = |is_permitted_in_ci| Skip { reason: "needs more".to_owned(), is_permitted_in_ci };
        for (is_permitted, is_ci) in [(false, false), (true, false), (true, true)] {
            let Ok(Completion::Ignored { reason }) = skipped(skip(is_permitted), is_ci) else {
                panic!("permitted {is_permitted}, in CI {is_ci}: it is not ignored");
            };
            assert_eq!(reason.as_deref(), Some("needs more"));
        }
        let failed = skipped(skip(false), true).err().unwrap();
        assert!(failed.message().unwrap().contains("needs more"));
    }

    #[test]
    fn a_skip_in_the_middle_of_a_test_is_no_panic_of_it() {
        let skip = outcome(|| {
            super::needs::end_with(Skip { reason: "half way".to_owned(), is_permitted_in_ci: true })
        });
        assert!(matches!(skip, Ok(Completion::Ignored { reason: Some(reason) }) if reason == "half way"));
    }

    #[test]
    fn a_name_is_the_path_without_the_crate() {
        assert_eq!(LiveTest::new("live::exec::paths", "a_test", || ()).path(), "exec::paths::a_test");
        assert_eq!(LiveTest::new("live", "a_test", || ()).path(), "a_test");
    }

    #[test]
    fn a_test_that_is_alone_runs_while_no_other_runs() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        fn shared() {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
            RUNNING.fetch_sub(1, Ordering::SeqCst);
        }
        fn alone() {
            assert_eq!(RUNNING.fetch_add(1, Ordering::SeqCst), 0, "another test runs");
            thread::sleep(Duration::from_millis(5));
            assert_eq!(RUNNING.fetch_sub(1, Ordering::SeqCst), 1, "another test runs");
        }
        thread::scope(|scope| {
            for number in 0..20 {
                scope.spawn(move || {
                    let test = LiveTest::new("live", "a_test", if number % 2 == 0 { alone } else { shared });
                    let test = if number % 2 == 0 { test.alone() } else { test };
                    assert!(test.without_agent().outcome().is_ok());
                });
            }
        });
    }
}
