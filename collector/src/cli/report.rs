//! Verbs that print a report and end: doctor, inspect, config check.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use super::{
    args::{Doctor, Inspect, ReportFormat},
    exit::WRONG_CONFIGURATION,
    print::print,
    settings::{Settings, SettingsError},
    terminal::ColourChoice,
};
use crate::{doctor, filter::Note, inspect, stream::format::printable_lines};

/// `collector doctor`
pub(super) fn examine(flags: &Doctor, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let report = doctor::examine(&flags.filter()?);
    print(|out| match flags.format() {
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)
        }
        ReportFormat::Text => report.write_text(out, colour.on(io::stdout().is_terminal())),
    })?;
    Ok(ExitCode::from(report.exit_code()))
}

/// `collector inspect`: prints what could be read. If the process ended meanwhile, stderr and the exit code say so.
pub(super) fn inspect(flags: &Inspect, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let pid = flags.pid;
    let inspection = inspect::inspect(pid, inspect::InspectOptions { resolve: flags.resolve })?;
    let terminal = io::stdout().is_terminal();
    let format = flags.format.unwrap_or(if terminal { ReportFormat::Text } else { ReportFormat::Json });
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

/// `collector config check`: rules that match nothing now are warnings.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let mut settings = match Settings::read(file) {
        Ok(settings) => settings,
        Err(SettingsError::Parse { path, line, column, source }) => {
            return refuse(&path, line, column, source.message());
        }
        Err(SettingsError::At { path, line, column, source }) => {
            return refuse(&path, line, column, &source.to_string());
        }
        Err(error) => return Err(error.into()),
    };
    let mut notes = settings.resolve_paths();
    notes.retain(Note::is_warning);
    print(|out| {
        let file = file.display();
        for message in Note::messages(&notes) {
            writeln!(out, "{}", printable_lines(&format!("{file}: warning: {message}")))?;
        }
        writeln!(out, "{}", printable_lines(&format!("{file}: ok")))
    })
}

fn refuse(file: &Path, line: usize, column: usize, message: &str) -> anyhow::Result<ExitCode> {
    print(|out| {
        writeln!(out, "{}", printable_lines(&format!("{}:{line}:{column}: {message}", file.display())))
    })?;
    Ok(ExitCode::from(WRONG_CONFIGURATION))
}
