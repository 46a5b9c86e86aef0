//! The configuration: a TOML file, with a default for every key. Flags and `COLLECTOR_*` variables override it.

mod check;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    checksum::Algorithms,
    defaults,
    event::Action,
    filter::Filter,
    redact::{self, Mode},
    stream::format::Format,
    stream::output::Destination,
    stream::units,
};

/// The example file, which explains every key and has its default.
pub const EXAMPLE: &str = include_str!("../collector.toml");

/// Why the configuration was rejected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not TOML, or has an unknown key or a value of the wrong kind.
    #[error("configuration {}:{line}:{column}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// The column, from 1 on.
        column: usize,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// A value of the file is not allowed.
    #[error("configuration {}:{line}:{column}", .path.display())]
    At {
        /// The file.
        path: PathBuf,
        /// The line of the key, from 1 on.
        line: usize,
        /// The column of the key, from 1 on.
        column: usize,
        /// What is wrong.
        source: Box<Self>,
    },
    /// A value is not allowed.
    #[error("{key} = {value} is not allowed: {allowed}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
}

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The events to write.
    #[serde(deserialize_with = "check::events")]
    pub events: BTreeSet<Action>,
    /// Whether to write a snapshot event of each process that runs already.
    pub snapshot: bool,
    /// Where the stream goes.
    pub outputs: Vec<Destination>,
    /// How it is written.
    pub format: Option<Format>,
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
    /// The agent's own log.
    pub log: Log,
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

/// `[log]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The level of the agent's log: see [`check_log_level`].
    pub level: String,
    /// The level of the kernel programs' log.
    pub kernel: KernelLog,
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
            outputs: vec![Destination::Stdout],
            format: None,
            ring: Ring::default(),
            queue: Queue::default(),
            filter: Filter::OFF,
            processes: Processes::default(),
            redaction: Redaction::default(),
            checksums: Checksums::default(),
            log: Log::default(),
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

impl Default for Log {
    fn default() -> Self {
        Self { level: "warn".to_owned(), kernel: KernelLog::Off }
    }
}

impl Log {
    /// The number that aya-log has for the level of the kernel programs.
    #[must_use]
    pub fn kernel_level(&self) -> u8 {
        match self.kernel {
            KernelLog::Off => 0,
            KernelLog::Error => 1,
            KernelLog::Warn => 2,
            KernelLog::Info => 3,
            KernelLog::Debug => 4,
            KernelLog::Trace => 5,
        }
    }
}

impl Config {
    /// Reads a file and checks its values.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text).map_err(|source| {
            let (line, column) = check::position(&text, source.span().map_or(0, |span| span.start));
            ConfigError::Parse { path: path.to_owned(), line, column, source: Box::new(source) }
        })?;
        config.check().map_err(|error| at(path, &text, error))?;
        Ok(config)
    }

    /// Checks that each value is allowed. A configuration that was not read from a file needs it, too.
    pub fn check(&self) -> Result<(), ConfigError> {
        check::check(self)
    }

    /// The keys and sections that differ from `other` and that a running agent cannot take over.
    pub(crate) fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            events,
            snapshot,
            outputs,
            format,
            ring,
            queue,
            filter,
            processes,
            redaction,
            checksums,
            log,
        } = self;
        let rows = [
            ("events", events != &other.events),
            ("snapshot", snapshot != &other.snapshot),
            ("outputs", outputs != &other.outputs),
            ("format", format != &other.format),
            ("ring", ring != &other.ring),
            ("queue", queue != &other.queue),
            ("filter", filter != &other.filter),
            ("processes", processes != &other.processes),
            ("redaction", redaction != &other.redaction),
            ("checksums.entries", checksums.entries != other.checksums.entries),
            ("log", log != &other.log),
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

/// The same error with the place of its key in the file.
fn at(path: &Path, text: &str, error: ConfigError) -> ConfigError {
    let ConfigError::Value { key, .. } = &error else { return error };
    let Some((line, column)) = check::position_of(key, text) else { return error };
    ConfigError::At { path: path.to_owned(), line, column, source: Box::new(error) }
}

/// Checks a level of the log: a level, or `TARGET=LEVEL`, or several of these separated by commas. The error says what is
/// allowed.
pub fn check_log_level(text: &str) -> Result<(), &'static str> {
    check::level(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Config, ConfigError, EXAMPLE};
    use crate::event::Action;

    #[test]
    fn the_example_has_every_key_with_its_default() {
        assert_eq!(toml::from_str::<Config>(EXAMPLE).unwrap(), Config::default());
        let uncommented = EXAMPLE.lines().filter(|line| line.contains(" = ")).count();
        assert_eq!(uncommented, 22, "a key without an example, or an example without a key");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_column() {
        let error = toml::from_str::<Config>("[ring]\nsize = 5\n").unwrap_err().to_string();
        assert!(error.contains("line 2, column 1"), "{error}");
        assert!(error.contains("unknown field `size`"), "{error}");
    }

    #[test]
    fn a_ring_that_is_not_a_power_of_two_is_refused() {
        let config: Config = toml::from_str("ring.bytes = 100000").unwrap();
        assert!(matches!(config.check(), Err(ConfigError::Value { key: "ring.bytes", .. })));
    }

    #[test]
    fn a_value_that_is_not_allowed_is_refused_with_its_place_in_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "snapshot = true\n[queue]\n events = 0\n").unwrap();
        let error = Config::read(file.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("configuration {}:3:2", file.path().display()));
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.starts_with("queue.events = 0 is not allowed"), "{source}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::read(Path::new("/nowhere/collector.toml")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read configuration /nowhere/collector.toml");
    }

    #[test]
    fn connects_bring_their_results() {
        let config = Config { events: [Action::Connect].into(), ..Config::default() };
        assert!(config.actions().contains(&Action::ConnectResult));
        assert!(!config.actions().contains(&Action::Exec));
    }

    #[test]
    fn records_that_come_by_themselves_cannot_be_asked_for() {
        let config = Config { events: [Action::AgentStop].into(), ..Config::default() };
        assert!(matches!(config.check(), Err(ConfigError::Value { key: "events", .. })));
    }
}
