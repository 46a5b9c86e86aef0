//! The command line: verbs and flags, and how they become a configuration.

mod environment;
mod filters;
mod run;
mod stream;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::filters::{Limits, Rules};
pub(in crate::cli) use self::{
    environment::parse,
    run::{Replay, Run},
    stream::{Stream, Verbosity},
};
use crate::{
    cli::{
        settings::{Settings, SettingsError},
        terminal::ColourChoice,
    },
    filter::Filter,
};

/// Watches every exec, exit and connect of a Linux machine and streams each as a complete event: who, from where, with which
/// arguments, environment, parents and file digests, and whether it was a process or the kernel itself.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(in crate::cli) struct Cli {
    /// Use colours; auto uses them on a terminal unless NO_COLOR is set or TERM is dumb
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        env = "COLLECTOR_COLOR"
    )]
    pub(in crate::cli) color: ColourChoice,
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sudo collector run                              watch this machine in the terminal
  sudo collector run | jq -r '.process.command_line // empty'
                                                  as JSON Lines in a pipe
  sudo collector run --event connect --output file:/var/log/connects.jsonl
  sudo collector run --tree $$ --duration 10s     this shell and what it starts
  sudo collector run --exclude image=/usr/lib/jvm --exec-limit 100/s:200
  sudo collector inspect 4242                     everything about one process
  sudo collector doctor                           can the agent run here?

Most flags can also be set by a variable; the help of each verb names it. An empty
variable counts as not set. In a variable, ; separates several values.

Exit codes:
  0   done                        69  this kernel lacks what the agent needs
  1   failed while running        77  not privileged
  2   wrong usage                 78  wrong configuration";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Watch this machine, and stream events until SIGINT or SIGTERM
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<Run>),
    /// Check whether the agent can run here, and print advice
    Doctor(Doctor),
    /// Show everything about one running process
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(Inspect),
    /// Replay a recording that collector run --record FILE made
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(Box<Replay>),
    /// Print the JSON Schema of the stream or of an inspection
    Schema {
        /// Print the schema of this
        #[arg(long, value_enum, default_value = "stream")]
        of: SchemaOf,
    },
    /// Print the configuration file with all defaults, or check a file
    Config {
        #[command(subcommand)]
        action: Option<ConfigAction>,
    },
    /// Print the completion script of a shell
    Completions {
        /// Print the script of this shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page (collector man run | man -l -), or write all pages
    Man {
        /// Print the page of this verb [default: the page of collector itself]
        #[arg(conflicts_with = "dir", value_parser = VERBS)]
        verb: Option<String>,
        /// Write the page of collector and one page for each verb to this directory
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// The verbs, each of which has a manual page.
const VERBS: [&str; 8] = ["run", "doctor", "inspect", "replay", "schema", "config", "completions", "man"];

/// What to do with a configuration.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigAction {
    /// Print the file with every key, its meaning and its default; collector config alone does the same
    Print,
    /// Check a file: print ok, or its fault with line and column (exit code 78)
    Check {
        /// Check this file
        #[arg(long, value_name = "FILE", env = "COLLECTOR_CONFIG")]
        config: PathBuf,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  sudo collector run --event exec,exit --only uid=www-data
  sudo collector run --pid 4242 --count 100       the next 100 events of one process
  sudo collector run --output stdout,format=compact | less
  sudo env COLLECTOR_EXCLUDE='uid=0;comm=make' collector run

On a terminal, or with -v, stderr has a start line and a summary.

Signals:
  SIGTERM, SIGINT  end in order, within [agent] stop_timeout
  SIGHUP           reload the configuration file
  SIGUSR1          open all outputs again, as after a rotation
  SIGUSR2          print the counters of the run and of each output";

const REPLAY_EXAMPLES: &str = "\
Examples:
  sudo collector run --record FILE --duration 10s
  collector replay FILE --event exec | jq -r '.process.executable // empty'
  collector replay FILE --tree 4242 --format compact

A recording has no /proc: what a live run adds from there is missing.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  sudo collector inspect $$                       this shell, for people
  sudo collector inspect 4242 --resolve           with the host names of its peers
  sudo collector inspect 4242 | jq '.descriptors[] | select(.socket)'
  sudo collector inspect 4242 | jq '.process.hash, .memory.resident_bytes'

Without root it shows what it may read, and names the rest in capture.missing. If the
process ends meanwhile, it shows what was read before, with exit code 1.";

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportFormat {
    /// Aligned lines, for people
    Text,
    /// One JSON object, for programs
    Json,
}

/// What has a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaOf {
    /// An event of the stream
    Stream,
    /// The output of collector inspect --format json
    Inspect,
}

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// Inspect the process that has this id
    pub(in crate::cli) pid: u32,
    /// Set the format [default: text on a terminal, json elsewhere]
    #[arg(long, value_enum)]
    pub(in crate::cli) format: Option<ReportFormat>,
    /// Look up the host names of remote addresses with this machine's resolver
    #[arg(long)]
    pub(in crate::cli) resolve: bool,
}

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Doctor {
    /// Set the format of the report
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
    /// The same as --format json
    #[arg(long, hide = true)]
    json: bool,
    /// Check the filters of this configuration file
    #[arg(long, value_name = "FILE", env = "COLLECTOR_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    limits: Limits,
}

impl Doctor {
    /// How the report is written.
    pub(in crate::cli) fn format(&self) -> ReportFormat {
        if self.json { ReportFormat::Json } else { self.format }
    }

    /// The filters of a run with this file and these flags.
    pub(in crate::cli) fn filter(&self) -> Result<Filter, SettingsError> {
        let mut settings = self.config.as_deref().map_or_else(|| Ok(Settings::default()), Settings::read)?;
        self.rules.apply(&mut settings.filter);
        self.limits.apply(&mut settings.filter);
        settings.check()?;
        Ok(settings.filter)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command, ReportFormat, VERBS};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let command = Cli::command();
        assert_eq!(command.get_subcommands().map(clap::Command::get_name).collect::<Vec<_>>(), VERBS);
    }

    #[test]
    fn events_are_separated_by_commas() {
        let cli = Cli::parse_from(["collector", "run", "--event", "exec,exit"]);
        let Command::Run(run) = cli.command else { panic!("not run") };
        let names: Vec<_> = run.settings().unwrap().events.iter().map(|action| action.name()).collect();
        assert_eq!(names, ["exec", "exit"]);
    }

    #[test]
    fn rules_are_given_again_and_again() {
        let typed = ["--exclude", "uid=0", "--exclude", "comm=a,b;comm=c", "--exec-limit", "5/s:9"];
        let cli = Cli::parse_from(["collector", "run"].iter().chain(&typed));
        let Command::Run(run) = cli.command else { panic!("not run") };
        let words = run.settings().unwrap().filter.words();
        assert_eq!(words, ["exclude uid=0", "exclude comm=a,b", "exclude comm=c", "exec-limit 5/s:9"]);
    }

    #[test]
    fn the_doctor_checks_the_filters_of_a_run() {
        let cli = Cli::parse_from(["collector", "doctor", "--only", "uid=7", "--json"]);
        let Command::Doctor(doctor) = cli.command else { panic!("not doctor") };
        assert_eq!(doctor.filter().unwrap().words(), ["only uid=7"]);
        assert_eq!(doctor.format(), ReportFormat::Json);
    }

    #[test]
    fn a_size_is_a_power_of_two_in_any_unit() {
        let bytes = |size: &str| {
            let cli = Cli::try_parse_from(["collector", "run", "--ring-bytes", size]).ok()?;
            let Command::Run(run) = cli.command else { panic!("not run") };
            Some(run.settings().unwrap().ring.bytes)
        };
        assert_eq!(bytes("1M"), Some(1 << 20));
        assert_eq!(bytes("64KiB"), Some(1 << 16));
        assert_eq!(bytes("65536"), Some(1 << 16));
        for size in ["1000", "5", "2GiB", "1MB", "-1"] {
            assert_eq!(bytes(size), None, "{size}");
        }
    }
}
