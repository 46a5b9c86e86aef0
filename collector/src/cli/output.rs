//! From the stream to the outputs, until the stream ends.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use crate::{
    Collector,
    config::Config,
    event::Action,
    pipeline::outlet::Lines,
    source::Outcome,
    stream::format::Encoding,
    stream::output::{Sink, SinkError},
};

use crate::{
    signals::{self, Reload},
    terminal::ColourChoice,
};

/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Opens the outputs.
pub(in crate::cli) fn open(config: &Config, colour: ColourChoice) -> anyhow::Result<Vec<Sink>> {
    let open = |destination| -> anyhow::Result<Sink> {
        let mut sink = Sink::open(destination, config.format)?;
        sink.set_colour(colour.on(sink.is_terminal()));
        Ok(sink)
    };
    config.outputs.iter().map(open).collect()
}

/// How each of the outputs wants its lines.
pub(in crate::cli) fn encodings(outputs: &[Sink]) -> Vec<Encoding> {
    outputs.iter().map(Sink::encoding).collect()
}

/// Writes the stream to its end: lines in the [`encodings`] of the outputs. A closed pipe ends it quietly.
pub(in crate::cli) fn write(
    mut collector: Collector<Lines>,
    mut outputs: Vec<Sink>,
    reload: Option<Reload>,
) -> anyhow::Result<ExitCode> {
    let stopping = signals::follow(collector.stopper(), reload).context("cannot wait for signals")?;
    let mut last = None;
    while let Some(lines) = collector.wait() {
        last = Some(lines.last);
        for (sink, encoded) in outputs.iter_mut().zip(&lines.encoded) {
            match patiently(sink.take(encoded), sink, &stopping) {
                Ok(()) => {}
                Err(SinkError::Closed { .. }) => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(error.into()),
            }
        }
    }
    anyhow::ensure!(last == Some(Action::AgentStop), "the agent's thread ended before its time");
    match collector.outcome() {
        Some(Outcome::Damaged(damage)) => Err(damage.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Waits for a full disk to have room again; meanwhile the agent's queue fills, and what is lost beyond it is counted
/// and told. Once the agent is to stop, the wait is over.
fn patiently(result: Result<(), SinkError>, sink: &mut Sink, stopping: &AtomicBool) -> Result<(), SinkError> {
    let mut result = result;
    let mut told = false;
    while let Err(SinkError::Full { .. }) = &result {
        if stopping.load(Ordering::Acquire) {
            break;
        }
        if let Some(error) = result.err().filter(|_| !told) {
            tracing::warn!("{:#}; trying again until there is room", anyhow::Error::from(error));
            told = true;
        }
        thread::sleep(RETRY);
        result = sink.flush();
    }
    result
}
