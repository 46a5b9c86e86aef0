//! The agent's log on stderr, one line for each message, safe on a terminal.

use std::{fmt, io};

use collector::stream::format::printable;
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
pub(crate) fn start(level: &str, colour: bool) -> anyhow::Result<()> {
    // Targets take a level in lower case.
    let targets: Targets = level.to_ascii_lowercase().parse()?;
    let lines = layer().event_format(Lines { colour }).with_writer(io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
    Ok(())
}

/// `2026-11-28T20:00:00.123Z WARN collector::load: words`
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
        let mut words = String::new();
        context.field_format().format_fields(Writer::new(&mut words), event)?;
        let metadata = event.metadata();
        let (dim, shade, plain) =
            if self.colour { ("\x1b[2m", shade(*metadata.level()), "\x1b[0m") } else { ("", "", "") };
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        // A message may hold what a process calls itself.
        let (level, target, words) = (metadata.level(), metadata.target(), printable(&words));
        writeln!(writer, "{dim}{time}{plain} {shade}{level}{plain} {dim}{target}:{plain} {words}")
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
