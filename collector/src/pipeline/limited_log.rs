//! Bounds how often one message is logged: a message for each broken record could hold up the thread that reads the ring.

use std::{
    fmt, mem,
    time::{Duration, Instant},
};

/// The time from one message to the next, at least.
const INTERVAL: Duration = Duration::from_secs(1);

/// Decides which occurrences of one fault are logged: the first, and then one in each interval.
#[derive(Debug, Default)]
pub(super) struct LimitedLog {
    logged: Option<Instant>,
    unlogged: u64,
}

/// How many occurrences were not logged: the end of a message, empty for 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unlogged(u64);

impl fmt::Display for Unlogged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " (and {count} more since the last message)"),
        }
    }
}

impl LimitedLog {
    /// Notes one more occurrence. If it is to be logged, returns how many were not logged before it.
    pub(super) fn note(&mut self, now: Instant) -> Option<Unlogged> {
        if self.logged.is_some_and(|logged| now.saturating_duration_since(logged) < INTERVAL) {
            self.unlogged += 1;
            return None;
        }
        self.logged = Some(now);
        Some(Unlogged(mem::take(&mut self.unlogged)))
    }

    /// How many occurrences were not logged since the last one that was. For the end, when no other follows.
    pub(super) fn unlogged(&self) -> u64 {
        self.unlogged
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{INTERVAL, LimitedLog, Unlogged};

    #[test]
    fn the_first_is_logged_and_then_one_a_second_with_the_number_of_the_others() {
        let mut log = LimitedLog::default();
        let start = Instant::now();
        assert_eq!(log.note(start), Some(Unlogged(0)));
        assert_eq!(log.note(start), None);
        assert_eq!(log.note(start + INTERVAL / 2), None);
        assert_eq!(log.unlogged(), 2);
        assert_eq!(log.note(start + INTERVAL), Some(Unlogged(2)));
        assert_eq!(log.unlogged(), 0);
        assert_eq!(log.note(start + INTERVAL * 5), Some(Unlogged(0)));
        assert_eq!(format!("x{}{}", Unlogged(0), Unlogged(2)), "x (and 2 more since the last message)");
    }
}
