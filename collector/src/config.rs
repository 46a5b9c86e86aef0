//! The configuration of the agent, with a default for every value.

mod check;
mod error;
mod events;

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};

pub use self::error::ConfigError;
use crate::{
    checksum::Algorithms,
    defaults,
    event::Action,
    filter::Filter,
    redact::{self, Mode},
    stream::units,
};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ring {
    /// Its size in bytes, a power of two.
    #[serde(deserialize_with = "units::size")]
    pub bytes: u32,
    /// The nice value of the threads that read it and write the stream.
    pub nice: i32,
}

/// `[queue]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// How many events wait at most.
    pub events: usize,
}

/// `[processes]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Processes {
    /// How many processes are kept at most.
    pub entries: usize,
    /// How long an ended process is kept, in milliseconds.
    #[serde(deserialize_with = "units::millis")]
    pub grace_ms: u64,
    /// How many ancestors an event has at most.
    pub ancestors: usize,
}

/// `[redaction]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redaction {
    /// Which values are hidden.
    pub mode: Mode,
    /// Names of secrets; a `*` at the beginning or the end stands for anything.
    pub names: Vec<String>,
    /// Names of variables that are shown with the mode `allow`.
    pub allow: Vec<String>,
}

/// `[checksums]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checksums {
    /// The algorithms; none switches digests off.
    pub algorithms: Algorithms,
    /// How long an event waits for a digest, in milliseconds.
    #[serde(deserialize_with = "units::millis")]
    pub wait_ms: u64,
    /// The largest file that is read, in bytes.
    #[serde(deserialize_with = "units::size")]
    pub max_bytes: u64,
    /// How many files the cache holds.
    pub entries: usize,
}

/// A level of the kernel programs' log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// Reads the names of events that can be asked for, and refuses others with these names. For the field
/// [`Config::events`] of other structs.
///
/// # Errors
///
/// A name is not one of them.
pub fn deserialize_events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Action>, D::Error> {
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
