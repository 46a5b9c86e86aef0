//! Waiting for a condition, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything that must happen may take on a machine where others build, or that is emulated on one.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Asks `probe` again and again until it answers.
///
/// # Panics
///
/// When [`PATIENCE`] is over, with `what` was waited for.
#[track_caller]
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
