//! Converts the kernel's time since boot to wall time.

use rustix::time::{ClockId, clock_gettime};

use crate::event::Timestamp;

/// Smaller drift is ignored, so a start time is the same on exec and exit.
const DRIFT_NS: i64 = 1_000_000;

/// Nanoseconds on `CLOCK_BOOTTIME`: since boot, suspend included.
#[must_use]
pub fn boottime_ns() -> u64 {
    u64::try_from(nanoseconds(ClockId::Boottime)).unwrap_or(0)
}

/// The wall clock at the kernel's last tick, which may be delayed. The kernel stamps a file that changes now with this time.
#[must_use]
pub(crate) fn ticked_wall_ns() -> i64 {
    nanoseconds(ClockId::RealtimeCoarse)
}

/// Converts kernel times to wall time.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// `CLOCK_REALTIME` − `CLOCK_BOOTTIME`.
    offset_ns: i64,
    /// When the clocks were last compared, since boot.
    followed_ns: u64,
}

impl WallClock {
    /// With the offset of the clocks now.
    #[must_use]
    pub fn now() -> Self {
        Self::with_offset(measured_offset())
    }

    /// With a recorded offset.
    #[must_use]
    pub fn with_offset(offset_ns: i64) -> Self {
        Self { offset_ns, followed_ns: 0 }
    }

    /// `CLOCK_REALTIME` − `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn offset_ns(self) -> i64 {
        self.offset_ns
    }

    /// Follows steps and large drift of the wall clock up to this moment since boot: records after a step get times of the new
    /// clock. One comparison serves all records before it.
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

/// The clocks are read one after the other; a delay in between looks like a step.
fn measured_offset() -> i64 {
    offset_of(|| {
        let before = nanoseconds(ClockId::Boottime);
        let wall = nanoseconds(ClockId::Realtime);
        Reading { before, wall, after: nanoseconds(ClockId::Boottime) }
    })
}

/// The wall time between two readings of the clock since boot.
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

/// The offset in the reading with the shortest delay. On a busy machine another process may run for milliseconds between two
/// readings, and that would look like a step of the wall clock.
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
    fn a_small_drift_is_ignored_and_a_step_is_followed() {
        let true_offset = WallClock::now().offset_ns();
        let mut drifted = WallClock::with_offset(true_offset + DRIFT_NS / 2);
        drifted.follow(boottime_ns());
        assert_eq!(drifted.offset_ns(), true_offset + DRIFT_NS / 2);
        let mut stepped = WallClock::with_offset(true_offset + 3_600_000_000_000);
        stepped.follow(boottime_ns());
        assert!((stepped.offset_ns() - true_offset).abs() < DRIFT_NS);
    }

    #[test]
    fn records_before_the_last_comparison_need_no_other() {
        let wrong = WallClock::now().offset_ns() + 3_600_000_000_000;
        let mut clock = WallClock { offset_ns: wrong, followed_ns: boottime_ns() };
        clock.follow(clock.followed_ns - 1);
        assert_eq!(clock.offset_ns(), wrong);
        clock.follow(clock.followed_ns);
        assert_ne!(clock.offset_ns(), wrong);
    }

    /// Found on an emulated machine, where reported starts were four milliseconds early.
    #[test]
    fn an_interrupted_reading_is_not_taken_for_a_step() {
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
        // If all readings are interrupted, the shortest counts.
        assert_eq!(of(&[interrupted, (0, 1_000_500_000, 1_000_000)]), 1_000_000_000);
    }

    #[test]
    fn now_is_now() {
        let wall = WallClock::now().wall(boottime_ns()).0;
        let system = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        assert!((i128::from(wall) - i128::try_from(system).unwrap()).abs() < 1_000_000_000);
    }
}
