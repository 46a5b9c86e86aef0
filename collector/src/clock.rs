//! From the kernel's clock since boot to wall time.

use rustix::time::{ClockId, clock_gettime};

use crate::event::Timestamp;

/// A drift below this is let be, so that one moment is not told in two ways: a process's start on its exec and its exit.
const DRIFT_NS: i64 = 1_000_000;

/// How often clocks are read anew where the reading took long.
const ATTEMPTS: usize = 4;

/// Nanoseconds on `CLOCK_BOOTTIME`: since boot, suspend included.
#[must_use]
pub fn boottime_ns() -> u64 {
    u64::try_from(nanoseconds(ClockId::Boottime)).unwrap_or(0)
}

/// Turns kernel times into wall time.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// `CLOCK_REALTIME` − `CLOCK_BOOTTIME`.
    offset_ns: i64,
}

impl WallClock {
    /// By the clocks as they are now.
    #[must_use]
    pub fn now() -> Self {
        Self { offset_ns: measured_offset() }
    }

    /// By a recorded offset.
    #[must_use]
    pub fn with_offset(offset_ns: i64) -> Self {
        Self { offset_ns }
    }

    /// `CLOCK_REALTIME` − `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn offset_ns(self) -> i64 {
        self.offset_ns
    }

    /// Follows a step of the wall clock, or a drift that has become large.
    pub fn follow(&mut self) {
        let offset = measured_offset();
        if (offset - self.offset_ns).abs() >= DRIFT_NS {
            self.offset_ns = offset;
        }
    }

    /// The wall time of a moment since boot.
    #[must_use]
    pub fn wall(self, boottime_ns: u64) -> Timestamp {
        Timestamp(i64::try_from(boottime_ns).unwrap_or(i64::MAX).saturating_add(self.offset_ns))
    }
}

/// The clocks are read one after the other, and whoever is held up in between would take that for a step.
fn measured_offset() -> i64 {
    let measure = || {
        let before = nanoseconds(ClockId::Boottime);
        let wall = nanoseconds(ClockId::Realtime);
        let held_up = nanoseconds(ClockId::Boottime) - before;
        (held_up, wall - before - held_up / 2)
    };
    let (held_up, offset) = measure();
    if held_up < DRIFT_NS / 4 {
        return offset;
    }
    let again = std::iter::repeat_with(measure).take(ATTEMPTS).chain([(held_up, offset)]);
    again.min_by_key(|(held_up, _)| *held_up).map_or(offset, |(_, offset)| offset)
}

fn nanoseconds(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::{DRIFT_NS, WallClock, boottime_ns};

    #[test]
    fn a_small_drift_is_let_be_and_a_step_is_followed() {
        let true_offset = WallClock::now().offset_ns();
        let mut drifted = WallClock::with_offset(true_offset + DRIFT_NS / 2);
        drifted.follow();
        assert_eq!(drifted.offset_ns(), true_offset + DRIFT_NS / 2);
        let mut stepped = WallClock::with_offset(true_offset + 3_600_000_000_000);
        stepped.follow();
        assert!((stepped.offset_ns() - true_offset).abs() < DRIFT_NS);
    }

    #[test]
    fn now_is_now() {
        let wall = WallClock::now().wall(boottime_ns()).0;
        let system = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        assert!((i128::from(wall) - i128::try_from(system).unwrap()).abs() < 1_000_000_000);
    }
}
