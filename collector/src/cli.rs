//! The command line: reads it, runs the library, and turns errors into messages and exit codes.

mod args;
mod closed_stdout;
mod exit;
mod log;
mod manual;
mod outputs;
mod print;
mod progress;
mod report;
mod settings;
mod signals;
mod stop;
mod summary;
mod terminal;
mod watch;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::CommandFactory as _;

use self::{
    args::{Cli, Command, ConfigAction, SchemaOf},
    print::print,
    settings::EXAMPLE,
};
use crate::{event, inspect, stream::format::printable_lines};

/// Runs the program with the arguments of the process. Wrong usage ends the process here, with exit code 2.
#[must_use]
pub fn main() -> ExitCode {
    let cli = args::parse();
    match act(cli) {
        Ok(code) => code,
        Err(error) => {
            let message = format!("collector: {error:#}");
            // Nobody reads a closed stderr.
            let _ = writeln!(io::stderr(), "{}", printable_lines(message.trim_end()));
            exit::code(&error)
        }
    }
}

fn act(cli: Cli) -> anyhow::Result<ExitCode> {
    let colour = cli.color;
    match cli.command {
        Command::Run(run) => watch::run(&run, colour),
        Command::Doctor(doctor) => report::examine(&doctor, colour),
        Command::Inspect(inspect) => report::inspect(&inspect, colour),
        Command::Replay(replay) => watch::replay(&replay, colour),
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
        Command::Config { action: Some(ConfigAction::Check { config }) } => report::check(&config),
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
