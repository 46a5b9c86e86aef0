//! Which values a configuration may have, and where in its file a value stands.

use std::{collections::BTreeSet, fmt::Display};

use serde::{Deserialize, Deserializer, de::Error as _};
use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError};
use crate::{event::Action, stream::units::ByteSize};

/// The events that a user can ask for. The others come by themselves or with another key.
pub(super) const WANTED: [Action; 5] =
    [Action::Fork, Action::Exec, Action::Exit, Action::Connect, Action::ConnectResult];

/// Bounds of the ring: a page for each of a few CPUs, and the most that the kernel's size type is tested with.
const RING: std::ops::RangeInclusive<u32> = 65_536..=1 << 30;
/// More entries than this are a mistake: each costs some hundred bytes.
const ENTRIES_MAX: usize = 1 << 24;
/// What nice(1) takes.
const NICE: std::ops::RangeInclusive<i32> = -20..=19;

/// Reads a list of events. Names of other records are refused with the names that are allowed.
pub(super) fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Action>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    let event = |word: &String| {
        let found = WANTED.into_iter().find(|action| action.name() == word);
        found
            .ok_or_else(|| D::Error::custom(format_args!("{word:?} is not an event; events are {}", names())))
    };
    words.iter().map(event).collect()
}

fn names() -> String {
    WANTED.map(Action::name).join(", ")
}

/// The first value that the agent could not work with.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let Config { events, outputs, ring, queue, processes, redaction, checksums, log, .. } = config;
    if let Some(action) = events.iter().find(|action| !WANTED.contains(action)) {
        return refuse("events", &action.name(), &format!("events are {}", names()));
    }
    if events.is_empty() {
        return refuse("events", &"[]", &format!("there is nothing to watch; events are {}", names()));
    }
    if outputs.is_empty() {
        return refuse(
            "outputs",
            &"[]",
            &"the stream needs a destination, such as \"stdout\" or \"file:PATH\"",
        );
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
    level(&log.level).map_err(|allowed| invalid("log.level", &format_args!("{:?}", log.level), &allowed))
}

/// Whether a variable could have this name, in which a `*` at the beginning or the end stands for anything.
fn can_match(name: &str) -> bool {
    let stem = name.strip_prefix('*').unwrap_or(name);
    let stem = stem.strip_suffix('*').unwrap_or(stem);
    !name.is_empty() && !stem.contains('*')
}

/// Checks a level of the log: a level, or `TARGET=LEVEL`, or several of these separated by commas. The error says what is
/// allowed.
pub(super) fn level(text: &str) -> Result<(), &'static str> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
    let is_target = |word: &str| {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        word.split("::").all(is_name)
    };
    let is_allowed = |part: &str| match part.split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(part),
    };
    if text.split(',').all(is_allowed) {
        Ok(())
    } else {
        Err(
            "levels are off, error, warn, info, debug and trace; collector::load=debug is the level of one part, and commas \
             separate several",
        )
    }
}

fn refuse<T>(key: &'static str, value: &dyn Display, allowed: &dyn Display) -> Result<T, ConfigError> {
    Err(invalid(key, value, allowed))
}

fn invalid(key: &'static str, value: &dyn Display, allowed: &dyn Display) -> ConfigError {
    ConfigError::Value { key, value: value.to_string(), allowed: allowed.to_string() }
}

/// The line and the column, from 1 on, of a key such as `ring.bytes` in a file.
pub(super) fn position_of(key: &str, text: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut at = None;
    for name in key.split('.') {
        let (found, value) = table.iter().find(|(found, _)| found.get_ref().as_ref() == name)?;
        at = Some(found.span().start);
        if let DeValue::Table(below) = value.get_ref() {
            table = below;
        }
    }
    Some(position(text, at?))
}

/// The line and the column, from 1 on, of a byte of a file.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::{can_match, level, position_of};
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
        refused("outputs = []", &["outputs = []", "stdout"]);
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

    #[test]
    fn a_level_of_the_log_is_a_level_and_no_other_word() {
        for text in ["warn", "WARN", "off", "info,collector::load=debug", "aya=trace"] {
            assert!(level(text).is_ok(), "{text}");
        }
        for text in ["", "wran", "loud", "3", "collector=loud", "=info", "info,", "a b=info"] {
            assert!(level(text).is_err(), "{text}");
        }
        refused("log.level = \"wran\"", &["log.level = \"wran\"", "off, error, warn"]);
    }

    #[test]
    fn a_key_has_the_position_where_it_stands() {
        let text = "# ü\nevents = []\n\n[ring]\n  bytes = 5\n[queue]\nevents = 0\n";
        assert_eq!(position_of("events", text), Some((2, 1)));
        assert_eq!(position_of("ring.bytes", text), Some((5, 3)));
        assert_eq!(position_of("queue.events", text), Some((7, 1)));
        assert_eq!(position_of("queue.bytes", text), None);
        assert_eq!(position_of("ring.bytes", "ring.bytes = 5"), Some((1, 6)));
    }
}
