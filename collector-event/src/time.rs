//! Points in time, as text with nanoseconds.

use std::{
    borrow::Cow,
    cell::Cell,
    error, fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp as Instant;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Nanoseconds since 1970, UTC; RFC 3339 with nine digits when written.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use collector_event::Timestamp;
///
/// let time: Timestamp = "2026-11-23T07:15:23.687954865Z".parse()?;
/// assert_eq!(time.to_string(), "2026-11-23T07:15:23.687954865Z");
/// let later = SystemTime::from(time) + Duration::from_secs(1);
/// assert_eq!(Timestamp::try_from(later)?.to_string(), "2026-11-23T07:15:24.687954865Z");
/// # Ok::<(), collector_event::TimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

const NS_PER_SECOND: i64 = 1_000_000_000;
/// Bytes of a date and a time to the second.
const SECOND: usize = "1970-01-01T00:00:00".len();
/// Bytes of the text.
const TEXT: usize = SECOND + ".000000000Z".len();

thread_local! {
    /// The second that was written last, and its text. Times of a stream are close to each other, and the calendar is the
    /// costly part.
    static LAST: Cell<(i64, [u8; SECOND])> = const { Cell::new((0, *b"1970-01-01T00:00:00")) };
}

impl Timestamp {
    /// As RFC 3339 in UTC with nanoseconds.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        String::from_utf8_lossy(&self.text()).into_owned()
    }

    fn text(self) -> [u8; TEXT] {
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let (second, fraction) = text.split_at_mut(SECOND);
        second.copy_from_slice(&text_of_second(self.0.div_euclid(NS_PER_SECOND)));
        // The added second is a leading digit, which is left out; it keeps the zeros behind it.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(NS_PER_SECOND + self.0.rem_euclid(NS_PER_SECOND)).bytes().skip(1);
        fraction.iter_mut().skip(1).zip(digits).for_each(|(to, digit)| *to = digit);
        text
    }
}

fn text_of_second(second: i64) -> [u8; SECOND] {
    let (of, text) = LAST.get();
    if of == second {
        return text;
    }
    let mut text = [0; SECOND];
    // Every `i64` of nanoseconds is in a year of four digits.
    let made = Instant::from_second(second).map(|instant| instant.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    if let Ok(made) = made
        && made.len() == SECOND
    {
        text.copy_from_slice(made.as_bytes());
    }
    LAST.set((second, text));
    text
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// A text is not a time in RFC 3339, or a time is before 1677 or after 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampError;

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time in RFC 3339 between 1677 and 2262")
    }
}

impl error::Error for TimestampError {}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let instant: Instant = text.parse().map_err(|_| TimestampError)?;
        i64::try_from(instant.as_nanosecond()).map(Self).map_err(|_| TimestampError)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(Timestamp(ns): Timestamp) -> Self {
        let distance = Duration::from_nanos(ns.unsigned_abs());
        if ns < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = TimestampError;

    fn try_from(time: SystemTime) -> Result<Self, TimestampError> {
        let ns = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).ok(),
            // The earliest time is further from 1970 than the latest one.
            Err(before) => {
                0_i64.checked_sub_unsigned(u64::try_from(before.duration().as_nanos()).unwrap_or(u64::MAX))
            }
        };
        ns.map(Self).ok_or(TimestampError)
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, SystemTime, Timestamp, TimestampError, UNIX_EPOCH};

    #[test]
    fn a_timestamp_has_nine_digits_even_where_they_are_zero() {
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp(1_700_000_000_000_000_001).to_rfc3339(), "2023-11-14T22:13:20.000000001Z");
    }

    #[test]
    fn a_timestamp_is_a_moment_of_the_system_clock() {
        let moment = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(SystemTime::from(Timestamp(-1)), moment);
        assert_eq!(Timestamp::try_from(moment), Ok(Timestamp(-1)));
        for edge in [i64::MIN, -1, 0, 1, i64::MAX].map(Timestamp) {
            assert_eq!(Timestamp::try_from(SystemTime::from(edge)), Ok(edge));
        }
        for edge in [i64::MIN, i64::MAX].map(Timestamp) {
            let second = Duration::from_secs(1);
            let beyond = SystemTime::from(edge);
            let beyond = if edge.0 < 0 { beyond - second } else { beyond + second };
            assert_eq!(Timestamp::try_from(beyond), Err(TimestampError));
        }
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Timestamp(1_000_000_000)));
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for time in [i64::MIN, -1_000_000_000, -1, 0, 1_700_000_000_123_456_789, i64::MAX].map(Timestamp) {
            let written = serde_json::to_string(&time).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&written).unwrap(), time, "{written}");
        }
    }
}
