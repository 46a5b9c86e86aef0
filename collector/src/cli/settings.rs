//! The configuration file: what the agent takes of it, and the outputs, the log and the shutdown of the program.

mod position;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    config::{self, Checksums, Config, ConfigError, KernelLog, Processes, Queue, Redaction, Ring},
    event::Action,
    filter::{Filter, Note},
    stream::{
        output::{Destination, OutputConfig, OutputConfigError},
        units::Millis,
    },
};

/// The example file, which explains every key and has its default.
pub(super) const EXAMPLE: &str = include_str!("../../collector.toml");

/// How long a stop takes at most, unless configured.
const STOP_TIMEOUT: Millis = Millis(5_000);

/// Why the configuration was rejected.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read configuration {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file is not TOML, or has an unknown key or a value of the wrong kind.
    #[error("configuration {}:{line}:{column}", .path.display())]
    Parse { path: PathBuf, line: usize, column: usize, source: Box<toml::de::Error> },
    /// A value of the file is not allowed.
    #[error("configuration {}:{line}:{column}", .path.display())]
    At { path: PathBuf, line: usize, column: usize, source: Box<Self> },
    /// A value of the agent is not allowed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An output cannot be configured like that.
    #[error("output {number}: {source}")]
    Output { number: usize, source: OutputConfigError },
    /// The level of the log is not one.
    #[error("log.level = {level:?} is not allowed: {allowed}")]
    LogLevel { level: String, allowed: &'static str },
    /// The time for a stop is out of bounds.
    #[error("agent.stop_timeout = {value} is not allowed: it must be from 100ms to 10min")]
    StopTimeout { value: Millis },
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    #[serde(deserialize_with = "config::deserialize_events")]
    pub(super) events: BTreeSet<Action>,
    pub(super) snapshot: bool,
    pub(super) output: Vec<OutputConfig>,
    pub(super) agent: Agent,
    pub(super) ring: Ring,
    pub(super) queue: Queue,
    pub(super) filter: Filter,
    pub(super) processes: Processes,
    pub(super) redaction: Redaction,
    pub(super) checksums: Checksums,
    pub(super) log: Log,
}

/// `[agent]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Agent {
    /// From the request to stop to the end of the process, at most.
    stop_timeout: Millis,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    /// Of the program, on stderr.
    pub(super) level: String,
    /// Of the kernel programs.
    kernel: KernelLog,
}

impl Default for Agent {
    fn default() -> Self {
        Self { stop_timeout: STOP_TIMEOUT }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "warn".to_owned(), kernel: KernelLog::Off }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let Config { events, snapshot, ring, queue, filter, processes, redaction, checksums, .. } =
            Config::default();
        Self {
            events,
            snapshot,
            output: Vec::new(),
            agent: Agent::default(),
            ring,
            queue,
            filter,
            processes,
            redaction,
            checksums,
            log: Log::default(),
        }
    }
}

impl Settings {
    /// Reads a file and checks its values.
    pub(super) fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        let settings: Self = toml::from_str(&text).map_err(|source| {
            let (line, column) = position::of_byte(&text, source.span().map_or(0, |span| span.start));
            SettingsError::Parse { path: path.to_owned(), line, column, source: Box::new(source) }
        })?;
        settings.check().map_err(|error| at(path, &text, error))?;
        Ok(settings)
    }

    /// Checks that each value is allowed.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.config().check()?;
        for (index, output) in self.output.iter().enumerate() {
            output.check().map_err(|source| SettingsError::Output { number: index + 1, source })?;
        }
        let level = &self.log.level;
        super::log::check_level(level)
            .map_err(|allowed| SettingsError::LogLevel { level: level.clone(), allowed })?;
        let value = self.agent.stop_timeout;
        if (Millis(100)..=Millis(600_000)).contains(&value) {
            Ok(())
        } else {
            Err(SettingsError::StopTimeout { value })
        }
    }

    /// What the agent takes of it.
    pub(super) fn config(&self) -> Config {
        let Self { events, snapshot, ring, queue, filter, processes, redaction, checksums, log, .. } =
            self.clone();
        Config {
            events,
            snapshot,
            ring,
            queue,
            filter,
            processes,
            redaction,
            checksums,
            kernel_log: log.kernel,
        }
    }

    /// The outputs; standard output if none is configured.
    pub(super) fn outputs(&self) -> Vec<OutputConfig> {
        if self.output.is_empty() {
            vec![OutputConfig::new(Destination::Stdout)]
        } else {
            self.output.clone()
        }
    }

    /// From the request to stop to the end of the process, at most.
    pub(super) fn stop_timeout(&self) -> Duration {
        self.agent.stop_timeout.duration()
    }

    /// Adds rules for the paths that rules on images lead to, and returns what is worth saying of the rules.
    pub(super) fn resolve_paths(&mut self) -> Vec<Note> {
        let (filter, notes) = self.filter.resolve();
        self.filter = filter;
        notes
    }

    /// The keys and sections that differ from `other` and that a reload does not take over.
    pub(super) fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let rows = [
            ("output", self.output != other.output),
            ("agent", self.agent != other.agent),
            ("log", self.log.level != other.log.level),
        ];
        rows.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }
}

/// The same error with the place of its key in the file.
fn at(path: &Path, text: &str, error: SettingsError) -> SettingsError {
    let key = match &error {
        SettingsError::Config(ConfigError::Value { key, .. }) => key,
        SettingsError::Output { .. } => "output",
        SettingsError::LogLevel { .. } => "log.level",
        SettingsError::StopTimeout { .. } => "agent.stop_timeout",
        SettingsError::Read { .. } | SettingsError::Parse { .. } | SettingsError::At { .. } => return error,
    };
    let Some((line, column)) = position::of_key(key, text) else { return error };
    SettingsError::At { path: path.to_owned(), line, column, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use std::{error::Error as _, path::Path};

    use super::{EXAMPLE, OutputConfig, Settings, SettingsError};

    #[test]
    fn the_example_has_every_key_with_its_default() {
        assert_eq!(toml::from_str::<Settings>(EXAMPLE).unwrap(), Settings::default());
        let keys = EXAMPLE.lines().filter(|line| line.contains(" = ")).count();
        assert_eq!(keys, 30, "a key without an example, or an example without a key");
    }

    #[test]
    fn the_outputs_of_the_example_are_right_once_they_are_uncommented() {
        let begin = EXAMPLE.find("#[[output]]").unwrap();
        let end = begin + EXAMPLE[begin..].find("\n\n").unwrap();
        let uncommented = EXAMPLE[begin..end].replace('#', "");
        let settings: Settings = toml::from_str(&uncommented).unwrap();
        settings.check().unwrap();
        let words = "file:/var/log/collector.jsonl,format=json,select=exec+exit+connect,buffer=64MiB,when_full=drop_oldest,\
                     when_closed=retry,mode=0640";
        let expected: [OutputConfig; 2] = ["stdout,format=compact", words].map(|word| word.parse().unwrap());
        assert_eq!(settings.output, expected);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_column() {
        let error = toml::from_str::<Settings>("[ring]\nsize = 5\n").unwrap_err().to_string();
        assert!(error.contains("line 2, column 1"), "{error}");
        assert!(error.contains("unknown field `size`"), "{error}");
    }

    #[track_caller]
    fn check_refused(text: &str, place: &str, words: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        let error = Settings::read(file.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("configuration {}:{place}", file.path().display()));
        let source = error.source().unwrap().to_string();
        assert!(source.contains(words), "{source}");
    }

    #[test]
    fn a_value_that_is_not_allowed_is_refused_with_its_place_in_the_file() {
        check_refused("snapshot = true\n[queue]\n events = 0\n", "3:2", "queue.events = 0 is not allowed");
        check_refused("[agent]\nstop_timeout = \"1ms\"\n", "2:1", "from 100ms to 10min");
        check_refused("[log]\nlevel = \"loud\"\n", "2:1", "levels are off, error");
        check_refused("[[output]]\nto = \"stdout\"\nbuffer = 5\n", "1:3", "output 1: buffer");
        check_refused("[[output]]\nto = \"kafka://x\"\n", "2:6", "is not an output");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Settings::read(Path::new("/nowhere/collector.toml")).unwrap_err();
        assert!(matches!(error, SettingsError::Read { .. }));
        assert_eq!(error.to_string(), "cannot read configuration /nowhere/collector.toml");
    }
}
