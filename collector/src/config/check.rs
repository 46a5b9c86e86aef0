//! Which values a configuration may have, and where in its file a value stands.

use std::fmt::Display;

use super::{
    Config,
    error::ConfigError,
    events::{WANTED, names},
};
use crate::stream::units::ByteSize;

/// Bounds of the ring: a page for each of a few CPUs, and the most that the kernel's size type is tested with.
const RING: std::ops::RangeInclusive<u32> = 65_536..=1 << 30;
/// More entries than this are a mistake: each costs some hundred bytes.
const ENTRIES_MAX: usize = 1 << 24;
/// What nice(1) takes.
const NICE: std::ops::RangeInclusive<i32> = -20..=19;

impl Config {
    /// Checks that each value is allowed. [`Builder::start`](crate::Builder::start) does so, too.
    ///
    /// # Errors
    ///
    /// The first value that the agent could not work with.
    pub fn check(&self) -> Result<(), ConfigError> {
        check(self)
    }
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let Config { events, ring, queue, processes, redaction, checksums, .. } = config;
    if let Some(action) = events.iter().find(|action| !WANTED.contains(action)) {
        return refuse("events", &action.name(), &format!("events are {}", names()));
    }
    if events.is_empty() {
        return refuse("events", &"[]", &format!("there is nothing to watch; events are {}", names()));
    }
    if !ring.bytes.is_power_of_two() || !RING.contains(&ring.bytes) {
        let size = ByteSize(ring.bytes.into());
        return refuse("ring.bytes", &size, &"it must be a power of two from 64KiB to 1GiB");
    }
    if !NICE.contains(&ring.nice) {
        return refuse("ring.nice", &ring.nice, &"it must be from -20 to 19");
    }
    for (key, entries) in [
        ("queue.events", queue.events),
        ("processes.entries", processes.entries),
        ("checksums.entries", checksums.entries),
    ] {
        if !(1..=ENTRIES_MAX).contains(&entries) {
            return refuse(key, &entries, &format!("it must be from 1 to {ENTRIES_MAX}"));
        }
    }
    for (key, names) in [("redaction.names", &redaction.names), ("redaction.allow", &redaction.allow)] {
        if let Some(name) = names.iter().find(|name| !can_match(name)) {
            return refuse(
                key,
                &format_args!("{name:?}"),
                &"a name is not empty and has a * at its beginning or end only",
            );
        }
    }
    Ok(())
}

/// Whether a variable could have this name, in which a `*` at the beginning or the end stands for anything.
fn can_match(name: &str) -> bool {
    let stem = name.strip_prefix('*').unwrap_or(name);
    let stem = stem.strip_suffix('*').unwrap_or(stem);
    !name.is_empty() && !stem.contains('*')
}

fn refuse<T>(key: &'static str, value: &dyn Display, allowed: &dyn Display) -> Result<T, ConfigError> {
    Err(ConfigError::Value { key, value: value.to_string(), allowed: allowed.to_string() })
}

#[cfg(test)]
mod tests {
    use super::can_match;
    use crate::config::Config;

    #[track_caller]
    fn refused(text: &str, words: &[&str]) {
        let error = match toml::from_str::<Config>(text) {
            Ok(config) => config.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }

    #[test]
    fn values_that_the_agent_could_not_work_with_are_refused() {
        refused("events = []", &["events = []", "nothing to watch"]);
        refused("ring.bytes = 100000", &["ring.bytes = 100000", "power of two"]);
        refused("ring.bytes = \"2GiB\"", &["ring.bytes = 2GiB", "1GiB"]);
        refused("ring.nice = -100", &["ring.nice = -100", "-20 to 19"]);
        refused("queue.events = 0", &["queue.events = 0", "from 1"]);
        refused("queue.events = 99999999999", &["queue.events", "16777216"]);
        refused("processes.entries = 0", &["processes.entries = 0"]);
        refused("checksums.entries = 0", &["checksums.entries = 0"]);
    }

    #[test]
    fn a_word_that_is_not_an_event_is_refused_with_those_that_are() {
        for word in ["execs", "agent-stop", "unknown"] {
            refused(
                &format!("events = [\"{word}\"]"),
                &[word, "events are fork, exec, exit, connect, connect-result"],
            );
        }
    }

    #[test]
    fn a_name_of_a_secret_that_no_variable_can_have_is_refused() {
        refused("redaction.names = [\"*KEY*\", \"A*B\"]", &["redaction.names = \"A*B\"", "beginning or end"]);
        refused("redaction.allow = [\"\"]", &["redaction.allow = \"\""]);
        assert!(["KEY", "*KEY", "KEY*", "*KEY*", "*"].into_iter().all(can_match));
        assert!(!can_match("***"));
    }
}
