//! The agent's log on stderr, one line for each message, safe on a terminal.

use std::{fmt, io};

use crate::stream::format::printable;
use jiff::Timestamp;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    Layer as _,
    filter::Targets,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer, layer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Starts the log with this level, which the configuration has checked.
pub(in crate::cli) fn start(level: &str, colour: bool) -> anyhow::Result<()> {
    // Targets take a level in lower case.
    let targets: Targets = level.to_ascii_lowercase().parse()?;
    let lines = layer().event_format(Lines { colour }).with_writer(io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
    Ok(())
}

/// `2026-11-28T20:00:00.123Z WARN collector::load: message`
struct Lines {
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = String::new();
        context.field_format().format_fields(Writer::new(&mut message), event)?;
        let metadata = event.metadata();
        let (dim, shade, plain) =
            if self.colour { ("\x1b[2m", shade(*metadata.level()), "\x1b[0m") } else { ("", "", "") };
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        // A message may have a name that a process gave itself.
        let (level, target, message) = (metadata.level(), metadata.target(), printable(&message));
        writeln!(writer, "{dim}{time}{plain} {shade}{level}{plain} {dim}{target}:{plain} {message}")
    }
}

fn shade(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// Checks a level of the log: a level, or `TARGET=LEVEL`, or several of these separated by commas. The error says what is
/// allowed.
pub(super) fn check_level(text: &str) -> Result<(), &'static str> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
    let is_target = |word: &str| {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        word.split("::").all(is_name)
    };
    let is_allowed = |part: &str| match part.split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(part),
    };
    if text.split(',').all(is_allowed) {
        Ok(())
    } else {
        Err(
            "levels are off, error, warn, info, debug and trace; collector::load=debug is the level of one part, and commas \
             separate several",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::check_level;

    #[test]
    fn a_level_of_the_log_is_a_level_and_no_other_word() {
        for text in ["warn", "WARN", "off", "info,collector::load=debug", "aya=trace"] {
            assert!(check_level(text).is_ok(), "{text}");
        }
        for text in ["", "wran", "loud", "3", "collector=loud", "=info", "info,", "a b=info"] {
            assert!(check_level(text).is_err(), "{text}");
        }
    }
}
