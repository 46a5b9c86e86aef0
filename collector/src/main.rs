//! The binary: reads the command line, runs the library, and turns what went wrong into words and exit codes.

mod cli;
mod output;
mod progress;
mod signals;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use collector::{
    Collector, Reloader, StartError,
    config::{Config, ConfigError, EXAMPLE},
    doctor, event, go_before_others, inspect,
};

use crate::cli::{Cli, Command, Doctor, InspectFormat, Run, SchemaOf};

/// `EX_UNAVAILABLE` of sysexits.h: this kernel cannot.
const KERNEL_CANNOT: u8 = 69;
/// `EX_NOPERM`: not privileged.
const NOT_PRIVILEGED: u8 = 77;
/// `EX_CONFIG`: wrong configuration.
const WRONG_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    // Wrong usage ends here, with exit code 2.
    let cli = Cli::parse();
    match act(cli.command) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell where stderr is closed.
            let _ = writeln!(io::stderr(), "collector: {error:#}");
            exit_code(&error)
        }
    }
}

fn act(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(run) => watch(&run),
        Command::Doctor(doctor) => examine(&doctor),
        Command::Inspect { pid, format, resolve } => inspect(pid, format, inspect::Options { resolve }),
        Command::Replay { file, stream } => {
            let config = stream.config()?;
            log_to_stderr(&config)?;
            let outputs = output::open(&config)?;
            let encodings = output::encodings(&outputs);
            let collector = Collector::builder().config(config).replay_lines(&file, encodings)?;
            let _shown = collector.progress().and_then(progress::show);
            output::write(collector, outputs, None)
        }
        Command::Schema { of } => print(|out| {
            let schema = match of {
                SchemaOf::Stream => event::json_schema(),
                SchemaOf::Inspect => inspect::json_schema(),
            };
            serde_json::to_writer_pretty(&mut *out, &schema)?;
            writeln!(out)
        }),
        Command::Config => print(|out| out.write_all(EXAMPLE.as_bytes())),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "collector", &mut script);
            print(|out| out.write_all(&script))
        }
        Command::Man => print(|out| clap_mangen::Man::new(Cli::command()).render(out)),
    }
}

fn watch(run: &Run) -> anyhow::Result<ExitCode> {
    let config = run.config()?;
    log_to_stderr(&config)?;
    // First the outputs: a path that cannot be written is told before anything is loaded.
    let outputs = output::open(&config)?;
    let nice = config.ring.nice;
    let mut builder = Collector::builder().config(config);
    if let Some(path) = &run.record {
        builder = builder.record(path);
    }
    let collector = builder.start_lines(output::encodings(&outputs))?;
    let reload = run.stream.config.is_some().then(|| reload(run.clone(), collector.reloader()));
    // From here on this thread writes the stream.
    go_before_others(nice);
    output::write(collector, outputs, reload)
}

/// Reads the configuration file again. What cannot be is said in the log, and the agent goes on.
fn reload(run: Run, reloader: Reloader) -> signals::Reload {
    Box::new(move || match run.config().and_then(|config| reloader.reload(&config)) {
        Ok(waiting) => {
            tracing::info!("the configuration was read again");
            if !waiting.is_empty() {
                tracing::warn!(
                    "changed in the configuration, and waiting for a restart: {}",
                    waiting.join(", ")
                );
            }
        }
        Err(error) => {
            tracing::error!("{:#}; what there was before stays", anyhow::Error::from(error));
        }
    })
}

fn examine(asked: &Doctor) -> anyhow::Result<ExitCode> {
    let report = doctor::examine(&asked.filter()?);
    print(|out| {
        if asked.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)
        } else {
            report.write_text(out, io::stdout().is_terminal())
        }
    })?;
    Ok(ExitCode::from(report.exit_code()))
}

/// What could be read is printed in any case; a process that ended meanwhile is told on stderr and by the exit code.
fn inspect(pid: u32, format: Option<InspectFormat>, options: inspect::Options) -> anyhow::Result<ExitCode> {
    let inspection = inspect::inspect(pid, options)?;
    let terminal = io::stdout().is_terminal();
    // NO_COLOR: https://no-color.org
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let format = format.unwrap_or(if terminal { InspectFormat::Text } else { InspectFormat::Json });
    let code = print(|out| match format {
        InspectFormat::Text => inspection.write_text(out, colour),
        InspectFormat::Json => {
            serde_json::to_writer(&mut *out, &inspection)?;
            writeln!(out)
        }
    })?;
    anyhow::ensure!(!inspection.vanished, "process {pid} ended while it was read: what was read is printed");
    Ok(code)
}

/// Prints a whole text. A reader that had enough of it is no failure.
fn print(write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

fn log_to_stderr(config: &Config) -> anyhow::Result<()> {
    let level = &config.log.level;
    let filter = tracing_subscriber::EnvFilter::try_new(level)
        .map_err(|_| ConfigError::Log { level: level.clone() })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
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
