//! Flags of everything that streams events: run and replay.

use std::{
    io::{self, IsTerminal as _},
    num::NonZero,
    path::PathBuf,
};

use crate::{
    cli::{
        log::check_level,
        settings::{Settings, SettingsError},
    },
    event::Action,
    filter::Selection,
    stream::{format::Format, output::OutputConfig},
};
use clap::{ArgAction, Args, ValueEnum};

use super::filters::Rules;

/// Which events are written, where, and in which format.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Stream {
    /// Read this configuration file (collector config prints one). Flags override it. In a run, SIGHUP reloads it
    #[arg(long, value_name = "FILE", env = "COLLECTOR_CONFIG")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// Write these events, separated by commas [default: exec,exit,connect]
    #[arg(long = "event", value_name = "EVENTS", value_delimiter = ',', env = "COLLECTOR_EVENT")]
    events: Vec<EventName>,
    #[arg(long = "output", value_name = "DEST", value_delimiter = ';', env = "COLLECTOR_OUTPUT", help = OUTPUT)]
    outputs: Vec<OutputConfig>,
    /// Set the format of outputs without format= [default: compact on a terminal, json elsewhere]
    #[arg(long, value_parser = formats(), env = "COLLECTOR_FORMAT")]
    format: Option<Format>,
    /// Do not cut the lines of the compact format to the width of the terminal
    #[arg(long)]
    pub(in crate::cli) wide: bool,
    #[command(flatten)]
    pub(in crate::cli) verbosity: Verbosity,
    #[command(flatten)]
    selection: SelectionFlags,
    // These are last, since what follows a heading stands under it.
    #[command(flatten)]
    rules: Rules,
}

const OUTPUT: &str = "\
Write the stream to stdout, or append it to file:PATH. Options follow behind commas: \
file:/var/log/c.jsonl,select=exec+exit,buffer=8MiB (collector config explains all of them). Give the flag once for each \
output [default: stdout]";

/// How much the agent writes to stderr.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Verbosity {
    /// Set the level of the log on stderr: off, error, warn, info, debug, trace, or TARGET=LEVEL; separated by commas
    #[arg(long, value_name = "LEVEL", env = "COLLECTOR_LOG", value_parser = log_level)]
    log: Option<String>,
    /// Log errors only, and print neither a start line nor a summary; overrides --log
    #[arg(short, long, conflicts_with = "verbose")]
    pub(in crate::cli) quiet: bool,
    /// Log more: -v info, -vv debug, -vvv trace; overrides --log
    #[arg(short, long, action = ArgAction::Count)]
    pub(in crate::cli) verbose: u8,
}

impl Verbosity {
    /// Whether to print a start line and a summary on stderr: on a terminal, or with -v.
    pub(in crate::cli) fn prints_summary(&self) -> bool {
        !self.quiet && (self.verbose > 0 || io::stderr().is_terminal())
    }

    /// The level that the flags ask for.
    fn level(&self) -> Option<&str> {
        match (self.quiet, self.verbose) {
            (true, _) => Some("error"),
            (false, 0) => self.log.as_deref(),
            (false, 1) => Some("info"),
            (false, 2) => Some("debug"),
            (false, 3..) => Some("trace"),
        }
    }
}

/// Selects events by process, and ends the stream after a number of them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Selection")]
struct SelectionFlags {
    /// Write only the events of these processes, separated by commas. All others count as filtered
    #[arg(long = "pid", value_name = "PID", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pids: Vec<u32>,
    /// Write only the events of these processes and of their descendants
    #[arg(long = "tree", value_name = "PID", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    trees: Vec<u32>,
    /// End after this number of events. Those about the stream itself do not count
    #[arg(long, value_name = "NUMBER")]
    count: Option<NonZero<u64>>,
}

fn log_level(level: &str) -> Result<String, &'static str> {
    check_level(level).map(|()| level.to_owned())
}

/// The names of the formats, for the help and the completions, too.
fn formats() -> impl clap::builder::TypedValueParser<Value = Format> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

/// The events that a user can ask for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EventName {
    /// A process began, before any exec
    Fork,
    /// A process replaced its image
    Exec,
    /// A process ended
    Exit,
    /// A process connected; this includes connect-result
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
    /// The values of the file, overridden by the flags.
    pub(in crate::cli) fn settings(&self) -> Result<Settings, SettingsError> {
        let mut settings = self.config.as_deref().map_or_else(|| Ok(Settings::default()), Settings::read)?;
        if !self.events.is_empty() {
            settings.events = self.events.iter().map(|event| event.action()).collect();
        }
        if !self.outputs.is_empty() {
            settings.output.clone_from(&self.outputs);
        }
        if let Some(format) = self.format {
            settings.output = settings.outputs();
            settings.output.iter_mut().for_each(|output| output.format = output.format.or(Some(format)));
        }
        if let Some(level) = self.verbosity.level() {
            level.clone_into(&mut settings.log.level);
        }
        self.rules.apply(&mut settings.filter);
        Ok(settings)
    }

    /// The events that the flags select.
    pub(in crate::cli) fn selection(&self) -> Selection {
        let SelectionFlags { pids, trees, count } = &self.selection;
        let selection = Selection::default().pids(pids.iter().copied()).trees(trees.iter().copied());
        match count {
            Some(count) => selection.count(*count),
            None => selection,
        }
    }
}
