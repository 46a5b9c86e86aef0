//! The command line: what can be typed, and what of it becomes the configuration.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use collector::{
    config::{Config, ConfigError},
    event::Action,
    filter::{Filter, Limit, Rule},
    stream::format::Format,
    stream::output::Destination,
};
use tracing_subscriber::EnvFilter;

/// Watches every exec, exit and connect of a Linux machine and streams each as a complete event: who, from where, with which
/// arguments, environment, parents and file digests, and whether it was a process or the kernel itself.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sudo collector run                                  watch this machine in the terminal
  sudo collector run | jq -r '.process.command_line'  as JSON Lines in a pipe
  sudo collector run --event connect --output file:/var/log/connects.jsonl
  sudo collector run --exclude image=/usr/lib/jvm --exec-limit 100/s:200
  sudo collector inspect 4242                         everything about one process
  sudo collector doctor                               can it run here, and if not, what to do

Exit codes: 0 done · 1 failed while running · 2 wrong usage · 69 this kernel cannot · 77 not privileged ·
78 wrong configuration";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch, and stream events until SIGINT or SIGTERM
    Run(Box<Run>),
    /// Say whether it can run here: each check, what fails without it, what to do
    Doctor(Doctor),
    /// Tell everything about one process that runs now
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect {
        /// The process, by its id
        pid: u32,
        /// How it is written [default: text on a terminal, json elsewhere]
        #[arg(long, value_enum)]
        format: Option<InspectFormat>,
        /// Ask the resolver of this machine for the names of remote addresses
        #[arg(long)]
        resolve: bool,
    },
    /// Send a recording of raw records (collector run --record FILE) through the same path again
    Replay {
        /// The recording
        file: PathBuf,
        #[command(flatten)]
        stream: Stream,
    },
    /// Print the JSON Schema of the stream, or of what else is asked for
    Schema {
        /// What the schema is of
        #[arg(long, value_enum, default_value = "stream")]
        of: SchemaOf,
    },
    /// Print the configuration file with every key, its meaning and its default
    Config,
    /// Print the completions of a shell, to be put where that shell looks for them
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page: collector man | man -l -
    Man,
}

const INSPECT_EXAMPLES: &str = "\
Examples:
  sudo collector inspect $$                                        this shell, for people
  sudo collector inspect 4242 --resolve | less                     as JSON in a pipe, with host names
  sudo collector inspect 4242 | jq '.descriptors[] | select(.socket)'
  sudo collector inspect 4242 | jq '.process.hash, .memory.resident_bytes'

Without root it tells what it may read, and names the rest in capture.missing. A process that ends
meanwhile is told as far as it was read, with exit code 1.";

/// How an inspection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// Sections of aligned lines, for people
    Text,
    /// One JSON object, for programs
    Json,
}

/// What has a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A record of the stream
    Stream,
    /// What collector inspect --format json prints
    Inspect,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
    /// The configuration file of the run that is asked about, for its filters
    #[arg(long, value_name = "FILE", env = "COLLECTOR_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    filters: Filters,
}

impl Doctor {
    /// The filters of such a run: the file's, with what was typed in its place.
    pub(crate) fn filter(&self) -> Result<Filter, ConfigError> {
        let mut config = read(self.config.as_deref())?;
        self.filters.apply(&mut config.filter);
        config.check()?;
        Ok(config.filter)
    }
}

fn read(file: Option<&Path>) -> Result<Config, ConfigError> {
    file.map_or_else(|| Ok(Config::default()), Config::read)
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) stream: Stream,
    /// Write a record of each process that runs already
    #[arg(long, env = "COLLECTOR_SNAPSHOT")]
    snapshot: bool,
    /// Bytes of the buffer between kernel and agent: a power of two
    #[arg(long, value_name = "BYTES", env = "COLLECTOR_RING_BYTES")]
    ring_bytes: Option<u32>,
    /// Write the raw records of the kernel to a new file as well, for collector replay. They have secrets as they were
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    // Last, as what follows it would stand under its heading.
    #[command(flatten)]
    filters: Filters,
}

/// What of it is told.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Filters")]
struct Filters {
    /// Leave out what matches any of these: uid=NUMBER, cgroup=PATH or ID and all below it, comm=NAME, image=PATH or
    /// parent=PATH, which is what the parent runs. A PATH is a file or a directory with all below it, or ends with *
    #[arg(long, value_name = "RULE", env = "COLLECTOR_EXCLUDE")]
    exclude: Vec<Rule>,
    /// Leave out what matches none of these, for each key that is given: uid=0 and uid=1 keep both users
    #[arg(long, value_name = "RULE", env = "COLLECTOR_ONLY")]
    only: Vec<Rule>,
    /// How often each image may be run and told: COUNT/s, /m or /h, with :BURST for how many at once (100/s:200). A loss
    /// record with the reason filtered tells how many were more
    #[arg(long, value_name = "LIMIT", env = "COLLECTOR_EXEC_LIMIT")]
    exec_limit: Option<Limit>,
}

impl Filters {
    /// Puts what was typed in the place of what the file has.
    fn apply(&self, filter: &mut Filter) {
        if !self.exclude.is_empty() {
            filter.exclude.clone_from(&self.exclude);
        }
        if !self.only.is_empty() {
            filter.only.clone_from(&self.only);
        }
        filter.exec_limit = self.exec_limit.or(filter.exec_limit);
    }
}

/// What is streamed, and where to.
#[derive(Clone, Debug, Args)]
pub(crate) struct Stream {
    /// Read this configuration file; flags go before it (collector config prints one). With it, SIGHUP has it read again
    #[arg(long, value_name = "FILE", env = "COLLECTOR_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The events that are wanted, separated by commas [default: exec,exit,connect]
    #[arg(long = "event", value_name = "EVENTS", value_delimiter = ',', env = "COLLECTOR_EVENT")]
    events: Vec<EventName>,
    /// Where the stream goes: stdout, or <file:PATH> (appended to); may be given more than once [default: stdout]
    #[arg(long = "output", value_name = "DEST", env = "COLLECTOR_OUTPUT")]
    outputs: Vec<Destination>,
    /// How it is written [default: compact on a terminal, json elsewhere]
    #[arg(long, value_enum, env = "COLLECTOR_FORMAT")]
    format: Option<Format>,
    /// How much the agent says of itself on stderr: error, warn, info, debug, trace, or what `RUST_LOG` may be
    #[arg(long, value_name = "LEVEL", env = "COLLECTOR_LOG", value_parser = log_level)]
    log: Option<String>,
}

fn log_level(level: &str) -> Result<String, String> {
    let known = EnvFilter::try_new(level).map(|_| level.to_owned());
    known.map_err(|_| "a level is error, warn, info, debug or trace, or what RUST_LOG may be".to_owned())
}

/// The events that can be asked for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EventName {
    /// A new process, before any exec
    Fork,
    /// A process replaced its image
    Exec,
    /// A process ended
    Exit,
    /// A connection was begun, and how it ended
    Connect,
    /// How a TCP connect ended
    ConnectResult,
}

impl EventName {
    fn action(self) -> Action {
        match self {
            Self::Fork => Action::Fork,
            Self::Exec => Action::Exec,
            Self::Exit => Action::Exit,
            Self::Connect => Action::Connect,
            Self::ConnectResult => Action::ConnectResult,
        }
    }
}

impl Stream {
    /// The configuration: the file's, with what was typed in its place.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let mut config = read(self.config.as_deref())?;
        if !self.events.is_empty() {
            config.events = self.events.iter().map(|event| event.action()).collect();
        }
        if !self.outputs.is_empty() {
            config.outputs.clone_from(&self.outputs);
        }
        config.format = self.format.or(config.format);
        if let Some(level) = &self.log {
            config.log.level.clone_from(level);
        }
        Ok(config)
    }
}

impl Run {
    /// The configuration: the file's, with what was typed in its place.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let mut config = self.stream.config()?;
        config.snapshot |= self.snapshot;
        self.filters.apply(&mut config.filter);
        if let Some(bytes) = self.ring_bytes {
            config.ring.bytes = bytes;
        }
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn events_are_separated_by_commas() {
        let cli = Cli::parse_from(["collector", "run", "--event", "exec,exit"]);
        let Command::Run(run) = cli.command else { panic!("not run") };
        let names: Vec<_> = run.config().unwrap().events.iter().map(|action| action.name()).collect();
        assert_eq!(names, ["exec", "exit"]);
    }

    #[test]
    fn rules_are_given_again_and_again() {
        let typed = ["--exclude", "uid=0", "--exclude", "comm=a,b", "--exec-limit", "5/s:9"];
        let cli = Cli::parse_from(["collector", "run"].iter().chain(&typed));
        let Command::Run(run) = cli.command else { panic!("not run") };
        let words = run.config().unwrap().filter.words();
        assert_eq!(words, ["exclude uid=0", "exclude comm=a,b", "exec-limit 5/s:9"]);
    }

    #[test]
    fn the_doctor_is_asked_about_the_filters_of_a_run() {
        let cli = Cli::parse_from(["collector", "doctor", "--only", "uid=7"]);
        let Command::Doctor(doctor) = cli.command else { panic!("not doctor") };
        assert_eq!(doctor.filter().unwrap().words(), ["only uid=7"]);
    }

    #[test]
    fn a_ring_of_no_power_of_two_is_refused() {
        let cli = Cli::parse_from(["collector", "run", "--ring-bytes", "1000"]);
        let Command::Run(run) = cli.command else { panic!("not run") };
        assert!(run.config().is_err());
    }
}
