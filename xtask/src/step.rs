//! Progress lines, and the commands behind them.
//!
//! A line is `[seconds since the start] what: detail`. Long commands show their own output; the others are
//! silent unless they fail, and then the error has their output.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How many last lines of a silent command an error has: a whole compiler error, not a whole log.
const TAIL_LINES: usize = 120;

/// Starts the clock of all printed times.
pub(crate) fn start_clock() {
    LazyLock::force(&STARTED);
}

/// Prints one line on stderr, after the seconds since the start.
pub(crate) fn say(line: impl Display) {
    let elapsed_secs = STARTED.elapsed().as_secs_f64();
    // A closed stderr is no reason to stop building.
    drop(writeln!(io::stderr().lock(), "[{elapsed_secs:6.1}s] {line}"));
}

/// Runs `command` with its output on stderr, since stdout belongs to the agent.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let status =
        command.stdout(io::stderr()).status().with_context(|| format!("cannot start {}", shown(command)))?;
    check(command, status, "")
}

/// Runs `command` with stdout and stderr as they are.
pub(crate) fn pass_through(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    check(command, status, "")
}

/// Runs `command` without showing its output and returns its stdout; on failure the error has its last
/// lines.
pub(crate) fn ask(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    let said = format!("{stdout}{}", String::from_utf8_lossy(&stderr));
    check(command, status, &said)?;
    Ok(stdout)
}

/// Runs `command` without showing its output and returns its stderr.
pub(crate) fn ask_for_stderr(command: &mut Command) -> Result<String> {
    let Output { status, stderr, .. } =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    check(command, status, &stderr)?;
    Ok(stderr)
}

/// Whether `command` can be started and succeeds. Shows no output.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    ask(command).is_ok()
}

/// Runs `command` with its output on stderr, and kills it after `limit`.
pub(crate) fn show_within(limit: Duration, command: &mut Command) -> Result<()> {
    let end = Instant::now() + limit;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    loop {
        let waited = child.try_wait().with_context(|| format!("cannot wait for {}", shown(command)))?;
        match waited {
            Some(status) => return check(command, status, ""),
            None if Instant::now() < end => thread::sleep(Duration::from_millis(100)),
            None => break,
        }
    }
    child.kill().with_context(|| format!("cannot kill {}", shown(command)))?;
    child.wait().with_context(|| format!("cannot wait for {}", shown(command)))?;
    bail!("not finished after {} s: {}", limit.as_secs(), shown(command))
}

/// The command as a person would type it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn check(command: &Command, status: ExitStatus, said: &str) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let tail = tail(said);
    let colon = if tail.is_empty() { "" } else { ":\n" };
    bail!("{status} from `{}`{colon}{tail}", shown(command))
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let left_out = lines.len().saturating_sub(TAIL_LINES);
    lines.into_iter().skip(left_out).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_failed_command_has_its_words_and_its_output() {
        let error = ask(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with("exit status: 3 from `sh -c"), "{text}");
        assert!(text.ends_with("out\nerr"), "{text}");
    }

    #[test]
    fn a_command_that_runs_too_long_is_killed() {
        let error = show_within(Duration::from_millis(50), Command::new("sleep").arg("60")).unwrap_err();
        assert_eq!(error.to_string(), "not finished after 0 s: sleep 60");
    }

    #[test]
    fn only_the_last_lines_of_a_long_output_are_kept() {
        let said = (0..500).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        assert!(tail(&said).starts_with("380\n"));
        assert!(tail(&said).ends_with("\n499"));
    }
}
