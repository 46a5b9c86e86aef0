//! From the kernel's clock since boot to wall time.

use rustix::time::{ClockId, clock_gettime};

use crate::event::Timestamp;

/// A drift below this is let be, so that one moment is not told in two ways: a process's start on its exec and its exit.
const DRIFT_NS: i64 = 1_000_000;

/// Nanoseconds on `CLOCK_BOOTTIME`: since boot, suspend included.
#[must_use]
pub fn boottime_ns() -> u64 {
    u64::try_from(nanoseconds(ClockId::Boottime)).unwrap_or(0)
}

/// The wall clock as it was at the kernel's last tick, which may have been held up: what a file that is changed now is dated
/// by.
#[must_use]
pub(crate) fn ticked_wall_ns() -> i64 {
    nanoseconds(ClockId::RealtimeCoarse)
}

/// Turns kernel times into wall time.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// `CLOCK_REALTIME` − `CLOCK_BOOTTIME`.
    offset_ns: i64,
    /// When it was last followed, since boot.
    followed_ns: u64,
}

impl WallClock {
    /// By the clocks as they are now.
    #[must_use]
    pub fn now() -> Self {
        Self::with_offset(measured_offset())
    }

    /// By a recorded offset.
    #[must_use]
    pub fn with_offset(offset_ns: i64) -> Self {
        Self { offset_ns, followed_ns: 0 }
    }

    /// `CLOCK_REALTIME` − `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn offset_ns(self) -> i64 {
        self.offset_ns
    }

    /// Follows a step of the wall clock, or a drift that has become large, up to this moment since boot at the least: what
    /// comes after a step is told by the new clock. To look once serves all that was before.
    pub fn follow(&mut self, boottime_ns: u64) {
        if boottime_ns < self.followed_ns {
            return;
        }
        self.followed_ns = self::boottime_ns();
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
    offset_of(|| {
        let before = nanoseconds(ClockId::Boottime);
        let wall = nanoseconds(ClockId::Realtime);
        Reading { before, wall, after: nanoseconds(ClockId::Boottime) }
    })
}

/// Wall time between two looks at the clock since boot.
#[derive(Clone, Copy)]
struct Reading {
    before: i64,
    wall: i64,
    after: i64,
}

impl Reading {
    fn took(self) -> i64 {
        self.after - self.before
    }
}

/// By the reading that was interrupted least. Somebody else may run between two looks at the clocks, for milliseconds on
/// a busy machine, and what he takes would look like a step of the wall clock.
fn offset_of(mut read: impl FnMut() -> Reading) -> i64 {
    const TRIES: u32 = 8;
    let mut best = read();
    for _ in 1..TRIES {
        if best.took() < DRIFT_NS / 10 {
            break;
        }
        let again = read();
        if again.took() < best.took() {
            best = again;
        }
    }
    best.wall - i64::midpoint(best.before, best.after)
}

fn nanoseconds(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::{DRIFT_NS, Reading, WallClock, boottime_ns, offset_of};

    #[test]
    fn a_small_drift_is_let_be_and_a_step_is_followed() {
        let true_offset = WallClock::now().offset_ns();
        let mut drifted = WallClock::with_offset(true_offset + DRIFT_NS / 2);
        drifted.follow(boottime_ns());
        assert_eq!(drifted.offset_ns(), true_offset + DRIFT_NS / 2);
        let mut stepped = WallClock::with_offset(true_offset + 3_600_000_000_000);
        stepped.follow(boottime_ns());
        assert!((stepped.offset_ns() - true_offset).abs() < DRIFT_NS);
    }

    #[test]
    fn the_clock_is_not_looked_at_for_what_was_before_the_last_look() {
        let wrong = WallClock::now().offset_ns() + 3_600_000_000_000;
        let mut clock = WallClock { offset_ns: wrong, followed_ns: boottime_ns() };
        clock.follow(clock.followed_ns - 1);
        assert_eq!(clock.offset_ns(), wrong);
        clock.follow(clock.followed_ns);
        assert_ne!(clock.offset_ns(), wrong);
    }

    /// Found on an emulated machine, where starts were told four milliseconds early.
    #[test]
    fn a_reading_that_was_interrupted_is_not_taken_for_a_step() {
        let of = |readings: &[(i64, i64, i64)]| {
            let mut readings = readings.iter().cycle();
            offset_of(|| {
                let &(before, wall, after) = readings.next().unwrap();
                Reading { before, wall, after }
            })
        };
        let interrupted = (0, 1_000_000_050, 4_000_100);
        assert_eq!(of(&[(0, 1_000_000_050, 100)]), 1_000_000_000);
        assert_eq!(of(&[interrupted, interrupted, (5_000_000, 1_005_000_050, 5_000_100)]), 1_000_000_000);
        // Where all are, it is the shortest.
        assert_eq!(of(&[interrupted, (0, 1_000_500_000, 1_000_000)]), 1_000_000_000);
    }

    #[test]
    fn now_is_now() {
        let wall = WallClock::now().wall(boottime_ns()).0;
        let system = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        assert!((i128::from(wall) - i128::try_from(system).unwrap()).abs() < 1_000_000_000);
    }
}
