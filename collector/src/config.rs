//! The configuration: a TOML file, with defaults for everything. Flags and `COLLECTOR_*` variables go before it.

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
};

/// The example file, in which every key is explained and has its default.
pub const EXAMPLE: &str = include_str!("../collector.toml");

/// Why a configuration is none.
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
    /// The file is no TOML, or has a key or a value that it may not have.
    #[error("configuration {} is wrong", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where, with line and column, and what.
        source: Box<toml::de::Error>,
    },
    /// A record that cannot be asked for: it comes by itself, or with another key.
    #[error("{:?} in events cannot be asked for; events are fork, exec, exit, connect and connect-result", .action.name())]
    Event {
        /// What was asked for.
        action: Action,
    },
    /// The log's level is none.
    #[error(
        "{level:?} is no log level; levels are error, warn, info, debug and trace, or what RUST_LOG may be"
    )]
    Log {
        /// What was given.
        level: String,
    },
    /// A value is out of its bounds.
    #[error("{key} = {value} in the configuration is out of bounds: {bounds}")]
    Bounds {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// What it may be.
        bounds: &'static str,
    },
}

/// The events that can be asked for.
const WANTED: [Action; 5] =
    [Action::Fork, Action::Exec, Action::Exit, Action::Connect, Action::ConnectResult];

/// All of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The events that are wanted.
    pub events: BTreeSet<Action>,
    /// Whether there is a record of each process that runs already.
    pub snapshot: bool,
    /// Where the stream goes.
    pub outputs: Vec<Destination>,
    /// How it is written.
    pub format: Option<Format>,
    /// The ring between kernel and agent.
    pub ring: Ring,
    /// What waits in the agent.
    pub queue: Queue,
    /// What of the events is told.
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
    /// Bytes.
    pub bytes: u32,
    /// The nice value of the threads that read it and write the stream.
    pub nice: i32,
}

/// `[queue]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Events.
    pub events: usize,
}

/// `[processes]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Processes {
    /// Most processes that are kept.
    pub entries: usize,
    /// How long an ended one is kept.
    pub grace_ms: u64,
    /// Most ancestors of a record.
    pub ancestors: usize,
}

/// `[redaction]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redaction {
    /// Whose values are hidden.
    pub mode: Mode,
    /// Names of secrets; a `*` before or behind stands for anything.
    pub names: Vec<String>,
    /// Names of variables that are shown with the mode `allow`.
    pub allow: Vec<String>,
}

/// `[checksums]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checksums {
    /// Which; empty switches them off.
    pub algorithms: Algorithms,
    /// How long an event waits for a new one.
    pub wait_ms: u64,
    /// Larger files are left out.
    pub max_bytes: u64,
    /// Files that are remembered.
    pub entries: usize,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Of the agent, as `RUST_LOG` has it.
    pub level: String,
    /// Of the kernel programs.
    pub kernel: KernelLog,
}

/// How much the kernel programs tell of themselves.
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
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that nothing could be done with.
    pub fn check(&self) -> Result<(), ConfigError> {
        let ring = u64::from(self.ring.bytes);
        let bounds = |key, value, bounds| Err(ConfigError::Bounds { key, value, bounds });
        if !self.ring.bytes.is_power_of_two() || !(65_536..=1 << 30).contains(&ring) {
            return bounds("ring.bytes", ring, "a power of two from 65536 to 1073741824");
        }
        if self.queue.events == 0 {
            return bounds("queue.events", 0, "1 or more");
        }
        if self.processes.entries == 0 {
            return bounds("processes.entries", 0, "1 or more");
        }
        if self.checksums.entries == 0 {
            return bounds("checksums.entries", 0, "1 or more");
        }
        if let Some(&action) = self.events.iter().find(|action| !WANTED.contains(action)) {
            return Err(ConfigError::Event { action });
        }
        Ok(())
    }

    /// The keys, and the sections, in which it differs from another one, but for what a running agent takes over.
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

    /// Whether any event of a connection is wanted.
    #[must_use]
    pub fn wants_connections(&self) -> bool {
        self.events.contains(&Action::Connect) || self.events.contains(&Action::ConnectResult)
    }

    /// The actions that are written: those that are wanted, and what each brings.
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
        // Each of them may have to be written before its digests are ready.
        actions.insert(Action::Checksums);
        actions
    }
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
    fn a_ring_that_is_no_power_of_two_is_refused() {
        let config: Config = toml::from_str("ring.bytes = 100000").unwrap();
        assert!(matches!(config.check(), Err(ConfigError::Bounds { key: "ring.bytes", .. })));
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
        assert!(matches!(config.check(), Err(ConfigError::Event { action: Action::AgentStop })));
    }
}
