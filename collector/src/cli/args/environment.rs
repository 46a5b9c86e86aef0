//! Variables as flags: an empty one counts as not set, and an error names the variable that it comes from.

use std::{env, ffi::OsStr};

use clap::{
    Arg, CommandFactory as _, FromArgMatches as _,
    builder::Resettable,
    error::{ContextKind, ContextValue},
};

use super::Cli;

/// Reads the command line and the variables. Ends the process with exit code 2 if they are wrong, and with 0 after help.
pub(in crate::cli) fn parse() -> Cli {
    let is_empty = |variable: &OsStr| env::var_os(variable).is_some_and(|value| value.is_empty());
    let mut command = without_variables(Cli::command(), &is_empty);
    let parsed = command.try_get_matches_from_mut(env::args_os());
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reads a closed stderr.
            let _ = error.print();
            let typed: Vec<String> = env::args().collect();
            if let Some(variable) = variable_of(&error, &command, &typed) {
                let _ = std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("\nThe value comes from the variable {variable}.\n"),
                );
            }
            std::process::exit(error.exit_code());
        }
    }
}

/// The command without the variables that `ignored` names.
fn without_variables(command: clap::Command, ignored: &dyn Fn(&OsStr) -> bool) -> clap::Command {
    let without = |arg: Arg| {
        let is_ignored = arg.get_env().is_some_and(ignored);
        if is_ignored { arg.env(Resettable::Reset) } else { arg }
    };
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    names.into_iter().fold(command.mut_args(without), |command, name| {
        command.mut_subcommand(name, |verb| without_variables(verb, ignored))
    })
}

/// The variable that gave the value that was refused, if no flag gave it.
fn variable_of(error: &clap::Error, command: &clap::Command, typed: &[String]) -> Option<String> {
    let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return None };
    // `--ring-bytes <SIZE>`
    let flag = arg.split([' ', '=']).next()?.strip_prefix("--")?;
    let is_typed =
        |word: &String| word.strip_prefix("--").is_some_and(|word| word.split('=').next() == Some(flag));
    if typed.iter().any(is_typed) {
        return None;
    }
    let verbs =
        command.get_subcommands().flat_map(|verb| std::iter::once(verb).chain(verb.get_subcommands()));
    let mut args = std::iter::once(command).chain(verbs).flat_map(clap::Command::get_arguments);
    let variable = args.find(|arg| arg.get_long() == Some(flag))?.get_env()?;
    env::var_os(variable).map(|_| variable.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Cli, without_variables};

    #[test]
    fn a_variable_that_is_ignored_belongs_to_no_flag_of_any_verb() {
        let command = without_variables(Cli::command(), &|variable| variable == "COLLECTOR_CONFIG");
        let of_verb = |name: &str| {
            let verb = command.find_subcommand(name).unwrap();
            verb.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect::<Vec<_>>()
        };
        for verb in ["run", "doctor", "replay"] {
            let variables = of_verb(verb);
            assert!(
                !variables.contains(&"COLLECTOR_CONFIG") && variables.contains(&"COLLECTOR_ONLY"),
                "{verb}"
            );
        }
    }
}
