//! The time of day for people.

use jiff::tz::TimeZone;

use collector_event::Timestamp;

const NS_PER_SECOND: i64 = 1_000_000_000;
/// Where the time of day stands in RFC 3339, to the millisecond.
const TIME_OF_DAY: std::ops::Range<usize> = 11..23;

/// Times in one time zone. The text of a second is kept: events are close to each other, and the calendar costs.
#[derive(Debug)]
pub(super) struct Clock {
    zone: TimeZone,
    /// The last second and `12:34:56` of it.
    last: Option<(i64, String)>,
}

impl Clock {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, last: None }
    }

    /// `12:34:56.789`
    pub(super) fn time_of_day(&mut self, timestamp: Timestamp) -> String {
        let second = timestamp.0.div_euclid(NS_PER_SECOND);
        let milliseconds = timestamp.0.rem_euclid(NS_PER_SECOND) / 1_000_000;
        let text = match &self.last {
            Some((last, text)) if *last == second => text,
            Some(_) | None => &self.last.insert((second, self.text_of(second))).1,
        };
        format!("{text}.{milliseconds:03}")
    }

    /// `+01:00`: how far the zone is ahead of UTC then.
    pub(super) fn offset(&self, timestamp: Timestamp) -> String {
        let instant = jiff::Timestamp::from_second(timestamp.0.div_euclid(NS_PER_SECOND)).unwrap_or_default();
        let minutes = self.zone.to_offset(instant).seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }

    fn text_of(&self, second: i64) -> String {
        let instant = jiff::Timestamp::from_second(second).unwrap_or_default();
        self.zone.to_datetime(instant).strftime("%H:%M:%S").to_string()
    }
}

/// The same in UTC, without a state.
pub(super) fn in_utc(timestamp: Timestamp) -> String {
    let mut time = timestamp.to_rfc3339();
    time.truncate(TIME_OF_DAY.end);
    time.split_off(TIME_OF_DAY.start)
}

#[cfg(test)]
mod tests {
    use jiff::tz::{TimeZone, offset};

    use super::{Clock, in_utc};
    use collector_event::Timestamp;

    #[test]
    fn times_are_those_of_the_zone_to_the_millisecond() {
        let time = Timestamp(1_700_000_000_123_456_789);
        let mut clock = Clock::new(TimeZone::fixed(offset(2)));
        assert_eq!(clock.time_of_day(time), "00:13:20.123");
        assert_eq!(clock.time_of_day(Timestamp(time.0 + 900_000_000)), "00:13:21.023");
        assert_eq!(in_utc(time), "22:13:20.123");
        assert_eq!(clock.offset(time), "+02:00");
        assert_eq!(Clock::new(TimeZone::fixed(offset(-3))).offset(time), "-03:00");
    }

    #[test]
    fn any_time_has_a_text_of_the_same_width() {
        let mut clock = Clock::new(TimeZone::UTC);
        for time in [i64::MIN, -1, 0, i64::MAX].map(Timestamp) {
            assert_eq!(clock.time_of_day(time).len(), 12);
            assert_eq!(clock.time_of_day(time), in_utc(time));
        }
    }
}
