//! The configuration of the agent, with a default for every value.

mod check;
mod error;
mod events;
mod write;

use std::collections::BTreeSet;

#[cfg(feature = "cli")]
use serde::Deserializer;
use serde::{Deserialize, Serialize};

pub use self::error::ConfigError;
#[doc(inline)]
pub use crate::redact::Mode;
use crate::{checksum::Algorithms, defaults, event::Action, filter::Filter, redact, stream::units};

/// The whole configuration, as the `[sections]` of a file have it: serde reads and writes it in any format.
///
/// ```
/// use collector::{Builder, Config};
///
/// let mut config = Config::default();
/// config.filter.exclude.push("comm=cron".parse()?);
/// config.queue.events = 0;
/// let error = config.check().unwrap_err();
/// assert_eq!(error.to_string(), "queue.events = 0 is not allowed: it must be from 1 to 16777216");
///
/// config.queue.events = 100_000;
/// config.check()?;
/// let builder = Builder::from(config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// The events to write.
    #[serde(deserialize_with = "events::events")]
    pub events: BTreeSet<Action>,
    /// Whether to write a snapshot event of each process that runs already.
    pub snapshot: bool,
    /// The ring between kernel and agent.
    pub ring: Ring,
    /// The queue of events in the agent.
    pub queue: Queue,
    /// Which of the events to leave out.
    pub filter: Filter,
    /// The process table.
    pub processes: Processes,
    /// Secrets in environments and arguments.
    pub redaction: Redaction,
    /// Digests of images.
    pub checksums: Checksums,
    /// How much the kernel programs log.
    pub kernel_log: KernelLog,
}

/// `[ring]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Ring {
    /// Its size in bytes, a power of two.
    #[serde(deserialize_with = "units::size", serialize_with = "write::size")]
    pub bytes: u32,
    /// The nice value of the threads that read it and write the stream.
    pub nice: i32,
}

/// `[queue]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Queue {
    /// How many events wait at most.
    pub events: usize,
}

/// `[processes]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Processes {
    /// How many processes are kept at most.
    pub entries: usize,
    /// How long an ended process is kept, in milliseconds.
    #[serde(deserialize_with = "units::millis", serialize_with = "write::millis")]
    pub grace_ms: u64,
    /// How many ancestors an event has at most.
    pub ancestors: usize,
}

/// `[redaction]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Redaction {
    /// Which values are hidden.
    pub mode: Mode,
    /// Names of secrets; a `*` at the beginning or the end stands for anything.
    pub names: Vec<String>,
    /// Names of variables that are shown with the mode `allow`.
    pub allow: Vec<String>,
}

/// `[checksums]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Checksums {
    /// The algorithms; none switches digests off.
    pub algorithms: Algorithms,
    /// How long an event waits for a digest, in milliseconds.
    #[serde(deserialize_with = "units::millis", serialize_with = "write::millis")]
    pub wait_ms: u64,
    /// The largest file that is read, in bytes.
    #[serde(deserialize_with = "units::size", serialize_with = "write::size")]
    pub max_bytes: u64,
    /// How many files the cache holds.
    pub entries: usize,
}

/// A level of the kernel programs' log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the level of its name")]
pub enum KernelLog {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            events: [Action::Exec, Action::Exit, Action::Connect].into(),
            snapshot: false,
            ring: Ring::default(),
            queue: Queue::default(),
            filter: Filter::OFF,
            processes: Processes::default(),
            redaction: Redaction::default(),
            checksums: Checksums::default(),
            kernel_log: KernelLog::Off,
        }
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self { bytes: collector_common::RING_BYTES, nice: -10 }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { events: 16_384 }
    }
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            entries: defaults::TABLE_ENTRIES,
            grace_ms: defaults::TABLE_GRACE_MS,
            ancestors: defaults::ANCESTORS,
        }
    }
}

impl Default for Redaction {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self { mode: Mode::Names, names: owned(&redact::SECRET), allow: owned(&redact::HARMLESS) }
    }
}

impl Default for Checksums {
    fn default() -> Self {
        Self {
            algorithms: Algorithms::ALL,
            wait_ms: defaults::DIGEST_WAIT_MS,
            max_bytes: defaults::DIGEST_MAX_BYTES,
            entries: defaults::DIGEST_CACHE_ENTRIES,
        }
    }
}

impl KernelLog {
    /// The number that aya-log has for the level.
    pub(crate) fn level(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Error => 1,
            Self::Warn => 2,
            Self::Info => 3,
            Self::Debug => 4,
            Self::Trace => 5,
        }
    }
}

impl Config {
    /// The keys and sections that differ from `other` and that a running agent cannot take over.
    pub(crate) fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let Self { events, snapshot, ring, queue, filter, processes, redaction, checksums, kernel_log } =
            self;
        let rows = [
            ("events", events != &other.events),
            ("snapshot", snapshot != &other.snapshot),
            ("ring", ring != &other.ring),
            ("queue", queue != &other.queue),
            ("filter", filter != &other.filter),
            ("processes", processes != &other.processes),
            ("redaction", redaction != &other.redaction),
            ("checksums.entries", checksums.entries != other.checksums.entries),
            ("log.kernel", kernel_log != &other.kernel_log),
        ];
        rows.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }

    /// Whether it asks for any event of a connection.
    #[must_use]
    pub fn wants_connections(&self) -> bool {
        self.events.contains(&Action::Connect) || self.events.contains(&Action::ConnectResult)
    }

    /// The actions that are written: those in `events`, and those that come with them.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<Action> {
        let mut actions = self.events.clone();
        actions.extend([Action::AgentStart, Action::Loss, Action::AgentStop]);
        if actions.contains(&Action::Connect) {
            actions.insert(Action::ConnectResult);
        }
        if self.snapshot {
            actions.insert(Action::Snapshot);
        }
        // An event may have to be written before its digests are ready.
        actions.insert(Action::Checksums);
        actions
    }
}

/// Reads the names of events that can be asked for, and refuses others with these names: for the field [`Config::events`] of
/// other structs.
#[cfg(feature = "cli")]
pub(crate) fn deserialize_events<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<Action>, D::Error> {
    events::events(deserializer)
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError};
    use crate::event::Action;

    #[test]
    fn a_ring_that_is_not_a_power_of_two_is_refused() {
        let config: Config = toml::from_str("ring.bytes = 100000").unwrap();
        assert!(matches!(config.check(), Err(ConfigError::Value { key: "ring.bytes", .. })));
    }

    #[test]
    fn a_configuration_is_read_as_it_was_written() {
        let text = r#"
            events = ["exit", "connect"]
            snapshot = true
            kernel_log = "warn"
            ring.bytes = "1MiB"
            ring.nice = 3
            queue.events = 7
            filter.exclude = ["uid=0", "comm=a=b c", "cgroup=/a/", "cgroup=42"]
            filter.only = ["image=/usr/bin/*", "parent=/"]
            filter.exec_limit = "5/m"
            processes = { entries = 1, grace_ms = "1s", ancestors = 0 }
            redaction = { mode = "allow", names = ["*KEY*"], allow = [] }
            checksums = { algorithms = ["sha1"], wait_ms = 5, max_bytes = "3KiB", entries = 9 }
        "#;
        for config in [Config::default(), toml::from_str(text).unwrap()] {
            let written = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<Config>(&written).unwrap(), config, "{written}");
        }
        let written = toml::to_string(&toml::from_str::<Config>(text).unwrap()).unwrap();
        for line in ["bytes = \"1MiB\"", "grace_ms = \"1s\"", "exec_limit = \"5/m:5\"", "\"cgroup=42\""] {
            assert!(written.contains(line), "{line} in {written}");
        }
    }

    #[test]
    fn connects_bring_their_results() {
        let config = Config { events: [Action::Connect].into(), ..Config::default() };
        assert!(config.actions().contains(&Action::ConnectResult));
        assert!(!config.actions().contains(&Action::Exec));
    }

    #[test]
    fn records_that_come_by_themselves_cannot_be_configured() {
        let config = Config { events: [Action::AgentStop].into(), ..Config::default() };
        assert!(matches!(config.check(), Err(ConfigError::Value { key: "events", .. })));
    }
}
