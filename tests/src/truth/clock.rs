//! Wall time, and how the kernel's boot clock relates to it.

use std::{fmt, time::Duration};

use rustix::time::{ClockId, clock_gettime};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// `USER_HZ`, the ticks per second of /proc/PID/stat: 100 on every architecture that the agent runs on.
const NANOS_PER_TICK: i128 = NANOS_PER_SECOND / 100;

/// Nanoseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub i128);

impl Wall {
    /// `CLOCK_REALTIME`
    pub fn now() -> Self {
        Self(read(ClockId::Realtime))
    }

    /// RFC 3339 in UTC with nine digits and `Z`, or nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        if shape != "0000-00-00T00:00:00.000000000Z" {
            return None;
        }
        text.parse::<jiff::Timestamp>().ok().map(|instant| Self(instant.as_nanosecond()))
    }

    /// From nanoseconds of `CLOCK_BOOTTIME`.
    pub fn from_boot_ns(boot_ns: i128) -> Self {
        Self(boot_ns + boot_offset())
    }

    /// The start of the tick in /proc/PID/stat; the process began within it.
    pub fn from_ticks(ticks: u64) -> Self {
        Self::from_boot_ns(i128::from(ticks) * NANOS_PER_TICK)
    }

    /// Nanoseconds of `CLOCK_BOOTTIME` at this time.
    pub fn boot_ns(self) -> i128 {
        self.0 - boot_offset()
    }

    /// Not before `early` and not after `late`, give or take `tolerance`.
    pub fn is_between(self, early: Self, late: Self, tolerance: Duration) -> bool {
        let tolerance = i128::try_from(tolerance.as_nanos()).unwrap();
        self.0 >= early.0 - tolerance && self.0 <= late.0 + tolerance
    }

    /// In the tick that begins at `self`, give or take what the clocks' difference was misread by.
    pub fn tick_holds(self, instant: Self) -> bool {
        const MISREADING: Duration = Duration::from_millis(1);
        instant.is_between(self, Self(self.0 + NANOS_PER_TICK), MISREADING)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(self.0) {
            Ok(instant) => write!(f, "{instant:.9}"),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

/// `CLOCK_BOOTTIME` now, in nanoseconds.
pub fn boot_now_ns() -> i128 {
    read(ClockId::Boottime)
}

/// Wall time at boot: the difference of both clocks, from the reading that was interrupted least.
fn boot_offset() -> i128 {
    let reading = || {
        let before = read(ClockId::Boottime);
        let wall = read(ClockId::Realtime);
        let after = read(ClockId::Boottime);
        (after - before, wall - i128::midpoint(before, after))
    };
    (0..5).map(|_| reading()).min().map(|(_, offset)| offset).unwrap()
}

fn read(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * NANOS_PER_SECOND + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::Wall;

    #[test]
    fn only_nine_digits_and_a_z_are_a_time() {
        assert_eq!(Wall::parse("1970-01-01T00:00:01.000000002Z"), Some(Wall(1_000_000_002)));
        assert_eq!(Wall::parse("1970-01-01T00:00:01Z"), None);
        assert_eq!(Wall::parse("1970-01-01T00:00:01.000000002+00:00"), None);
    }
}
