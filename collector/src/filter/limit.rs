//! How many executions of an image are reported: `100/s:200`.

use std::{fmt, num::NonZero, str::FromStr};

/// A rate of executions of each image, in the long run, and a burst: how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Executions in a unit of time.
    count: NonZero<u32>,
    unit: Unit,
    /// Executions that may come at once after a quiet time.
    burst: NonZero<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

/// Why a limit was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{word:?} is not a limit; a limit is COUNT/s, COUNT/m or COUNT/h, with :BURST behind it for how many may come at once; \
     each is 1 or more: 100/s:200"
)]
pub struct LimitError {
    word: String,
}

impl Limit {
    /// Nanoseconds between executions that come evenly.
    #[must_use]
    pub fn interval_ns(&self) -> u64 {
        // 0 would switch the limit off; 2³² executions in 10⁹ ns would give it.
        (self.unit.ns() / u64::from(self.count.get())).max(1)
    }

    /// How far ahead of that rate a burst may be, in nanoseconds: the intervals of all executions in it but the first.
    #[must_use]
    pub fn slack_ns(&self) -> u64 {
        self.interval_ns().saturating_mul(u64::from(self.burst.get()) - 1)
    }
}

impl Unit {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    fn ns(self) -> u64 {
        match self {
            Self::Second => 1_000_000_000,
            Self::Minute => 60 * 1_000_000_000,
            Self::Hour => 3600 * 1_000_000_000,
        }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        parse(word).ok_or_else(|| LimitError { word: word.to_owned() })
    }
}

fn parse(word: &str) -> Option<Limit> {
    let (count, rest) = word.split_once('/')?;
    let (unit, burst) = rest.split_once(':').map_or((rest, None), |(unit, burst)| (unit, Some(burst)));
    let count = count.parse().ok()?;
    let unit = Unit::ALL.into_iter().find(|each| each.name() == unit)?;
    let burst = burst.map_or(Some(count), |burst| burst.parse().ok())?;
    Some(Limit { count, unit, burst })
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.count, self.unit.name(), self.burst)
    }
}

crate::word::serde_as_word!(Limit);

#[cfg(test)]
mod tests {
    use super::Limit;

    #[track_caller]
    fn check(word: &str, expected: Option<(u64, u64)>) {
        let limit: Option<Limit> = word.parse().ok();
        assert_eq!(limit.map(|limit| (limit.interval_ns(), limit.slack_ns())), expected, "{word}");
    }

    #[test]
    fn a_limit_is_a_rate_and_a_burst_which_is_as_large_by_default() {
        check("100/s:200", Some((10_000_000, 1_990_000_000)));
        check("10/s", Some((100_000_000, 900_000_000)));
        check("1/m:1", Some((60_000_000_000, 0)));
        check("2/h:3", Some((1_800_000_000_000, 3_600_000_000_000)));
        check("4000000000/s:1", Some((1, 0)));
    }

    #[test]
    fn other_words_are_not_limits() {
        for word in ["", "100", "100/", "/s", "0/s", "10/s:0", "10/d", "10/s:", "-1/s", "1.5/s", "10/s:5:5"] {
            check(word, None);
        }
    }
}
