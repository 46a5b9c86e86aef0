//! The binary: reads the command line, runs the library, and turns errors into words and exit codes.

mod cli;
mod log;
mod manual;
mod output;
mod progress;
mod signals;
mod terminal;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
    thread,
};

use anyhow::Context as _;
use clap::CommandFactory as _;
use collector::{
    Collector, Reloader, StartError,
    config::{Config, ConfigError, EXAMPLE},
    doctor, event, go_before_others, inspect,
    pipeline::Stopper,
    stream::format::printable_lines,
    units::Millis,
};

use crate::{
    cli::{Cli, Command, ConfigAction, Doctor, Inspect, Replay, ReportFormat, Run, SchemaOf, Stream},
    terminal::ColourChoice,
};

/// `EX_UNAVAILABLE` of sysexits.h: this kernel cannot.
const KERNEL_CANNOT: u8 = 69;
/// `EX_NOPERM`: not privileged.
const NOT_PRIVILEGED: u8 = 77;
/// `EX_CONFIG`: wrong configuration.
const WRONG_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    // Wrong usage ends here, with exit code 2.
    let cli = cli::parse();
    match act(cli) {
        Ok(code) => code,
        Err(error) => {
            let words = format!("collector: {error:#}");
            // Nobody reads a closed stderr.
            let _ = writeln!(io::stderr(), "{}", printable_lines(words.trim_end()));
            exit_code(&error)
        }
    }
}

fn act(cli: Cli) -> anyhow::Result<ExitCode> {
    let colour = cli.color;
    match cli.command {
        Command::Run(run) => watch(&run, colour),
        Command::Doctor(doctor) => examine(&doctor, colour),
        Command::Inspect(asked) => inspect(&asked, colour),
        Command::Replay(replay) => replay_recording(&replay, colour),
        Command::Schema { of } => print(|out| {
            let schema = match of {
                SchemaOf::Stream => event::json_schema(),
                SchemaOf::Inspect => inspect::json_schema(),
            };
            serde_json::to_writer_pretty(&mut *out, &schema)?;
            writeln!(out)
        }),
        Command::Config { action: None | Some(ConfigAction::Print) } => {
            print(|out| out.write_all(EXAMPLE.as_bytes()))
        }
        Command::Config { action: Some(ConfigAction::Check { config }) } => check(&config),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "collector", &mut script);
            print(|out| out.write_all(&script))
        }
        Command::Man { dir: Some(directory), .. } => {
            manual::write_all(Cli::command(), &directory)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { dir: None, verb } => {
            let page = manual::page(Cli::command(), verb.as_deref())?;
            print(|out| out.write_all(&page))
        }
    }
}

fn watch(run: &Run, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let mut config = run.config()?;
    log::start(&config.log.level, colour.on(io::stderr().is_terminal()))?;
    let (warnings, rest): (Vec<_>, Vec<_>) =
        resolve_paths(&mut config).into_iter().partition(collector::filter::Note::is_warning);
    for words in at_most_some(&warnings) {
        tracing::warn!("{words}");
    }
    for words in at_most_some(&rest) {
        tracing::info!("{words}");
    }
    // First the outputs: nothing is loaded if one of them cannot be opened.
    let outputs = output::open(&config, colour)?;
    let nice = config.ring.nice;
    let events = names_of(&config);
    let mut builder = Collector::builder().config(config).select(run.stream.selection());
    if let Some(path) = &run.record {
        builder = builder.record(path);
    }
    let collector = builder.start_lines(output::encodings(&outputs))?;
    announce(&run.stream, &events, &collector);
    if let Some(time) = run.duration {
        stop_after(time, collector.stopper())?;
    }
    let reload = run.stream.config.is_some().then(|| reload(run.clone(), collector.reloader()));
    // From here on this thread writes the stream.
    go_before_others(nice);
    output::write(collector, outputs, reload)
}

fn replay_recording(replay: &Replay, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let config = replay.config()?;
    log::start(&config.log.level, colour.on(io::stderr().is_terminal()))?;
    let outputs = output::open(&config, colour)?;
    let encodings = output::encodings(&outputs);
    let builder = Collector::builder().config(config).select(replay.stream.selection());
    let collector = builder.replay_lines(&replay.file, encodings)?;
    let _shown =
        if replay.stream.verbosity.quiet { None } else { collector.progress().and_then(progress::show) };
    output::write(collector, outputs, None)
}

/// Adds rules for the paths that rules on images lead to, and returns what is worth saying of the rules.
fn resolve_paths(config: &mut Config) -> Vec<collector::filter::Note> {
    let (filter, notes) = config.filter.resolve();
    config.filter = filter;
    notes
}

/// The words of each note, or of the first ones and how many more there are: a list of rules may have 100,000.
fn at_most_some(notes: &[collector::filter::Note]) -> Vec<String> {
    const SOME: usize = 10;
    let mut words: Vec<String> = notes.iter().take(SOME).map(ToString::to_string).collect();
    if notes.len() > SOME {
        words.push(format!("the same holds for {} more rules", notes.len() - SOME));
    }
    words
}

/// The events that a run watches, in words.
fn names_of(config: &Config) -> String {
    config.events.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ")
}

/// Prints the start line for a person who watches, on a terminal or with -v. Anywhere else it goes to the log.
fn announce<T>(stream: &Stream, events: &str, collector: &Collector<T>) {
    let hooks = collector.agent().hooks.len();
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    if stream.verbosity.is_for_people(io::stderr().is_terminal()) {
        // Nobody reads a closed stderr.
        let _ = writeln!(io::stderr(), "collector: watching {events} on {host}; {hooks} hooks; Ctrl-C ends");
    } else {
        tracing::info!("watching {events} on {host}; {hooks} hooks");
    }
}

/// Stops the stream after a time, from a thread of its own.
fn stop_after(time: Millis, stopper: Stopper) -> anyhow::Result<()> {
    let wait = move || {
        thread::sleep(time.duration());
        stopper.stop();
    };
    thread::Builder::new().name("duration".to_owned()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}

/// Reads the configuration file again. If it is wrong, the log says so and the agent goes on with the old one.
fn reload(run: Run, reloader: Reloader) -> signals::Reload {
    let read = move || {
        let mut config = run.config()?;
        resolve_paths(&mut config);
        reloader.reload(&config)
    };
    Box::new(move || match read() {
        Ok(waiting) => {
            tracing::info!("reloaded the configuration");
            if !waiting.is_empty() {
                tracing::warn!("these changes of the configuration need a restart: {}", waiting.join(", "));
            }
        }
        Err(error) => {
            tracing::error!("{:#}; the old configuration stays", anyhow::Error::from(error));
        }
    })
}

/// Checks a configuration file. Rules that match nothing now are warnings.
fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let mut config = match Config::read(file) {
        Ok(config) => config,
        Err(ConfigError::Parse { path, line, column, source }) => {
            return refuse(&path, line, column, source.message());
        }
        Err(ConfigError::At { path, line, column, source }) => {
            return refuse(&path, line, column, &source.to_string());
        }
        Err(error) => return Err(error.into()),
    };
    let mut notes = resolve_paths(&mut config);
    notes.retain(collector::filter::Note::is_warning);
    print(|out| {
        let file = file.display();
        for words in at_most_some(&notes) {
            writeln!(out, "{}", printable_lines(&format!("{file}: warning: {words}")))?;
        }
        writeln!(out, "{}", printable_lines(&format!("{file}: ok")))
    })
}

fn refuse(file: &Path, line: usize, column: usize, words: &str) -> anyhow::Result<ExitCode> {
    print(|out| {
        writeln!(out, "{}", printable_lines(&format!("{}:{line}:{column}: {words}", file.display())))
    })?;
    Ok(ExitCode::from(WRONG_CONFIGURATION))
}

fn examine(asked: &Doctor, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let report = doctor::examine(&asked.filter()?);
    print(|out| match asked.format() {
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)
        }
        ReportFormat::Text => report.write_text(out, colour.on(io::stdout().is_terminal())),
    })?;
    Ok(ExitCode::from(report.exit_code()))
}

/// Prints what could be read. If the process ended meanwhile, stderr and the exit code say so.
fn inspect(asked: &Inspect, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let pid = asked.pid;
    let inspection = inspect::inspect(pid, inspect::Options { resolve: asked.resolve })?;
    let terminal = io::stdout().is_terminal();
    let format = asked.format.unwrap_or(if terminal { ReportFormat::Text } else { ReportFormat::Json });
    let code = print(|out| match format {
        ReportFormat::Text => inspection.write_text(out, colour.on(terminal)),
        ReportFormat::Json => {
            serde_json::to_writer(&mut *out, &inspection)?;
            writeln!(out)
        }
    })?;
    anyhow::ensure!(
        !inspection.vanished,
        "process {pid} ended while it was read; what was read before is printed"
    );
    Ok(code)
}

/// Prints a whole text. A reader that closes the pipe early is not an error.
fn print(write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<ConfigError>().is_some() {
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    match error.downcast_ref::<StartError>() {
        Some(StartError::Load(load)) if load.is_privilege() => ExitCode::from(NOT_PRIVILEGED),
        Some(StartError::Load(load)) if load.is_configuration() => ExitCode::from(WRONG_CONFIGURATION),
        Some(StartError::Load(_) | StartError::NothingToWatch { .. }) => ExitCode::from(KERNEL_CANNOT),
        Some(StartError::Proc(_) | StartError::Recording(_) | StartError::Thread(_)) | None => {
            ExitCode::FAILURE
        }
    }
}
