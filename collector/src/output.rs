//! From the stream to the outputs, until the stream ends.

use std::{
    io::{self, Write as _},
    process::{self, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use collector::{
    Collector,
    config::Config,
    event::{Action, Event},
    pipeline::Stopper,
    sinks::{Sink, SinkError},
};
use tokio::signal::unix::{SignalKind, signal};

/// Events that are taken at a time.
const BATCH: usize = 512;
/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// A terminal's Ctrl-C and timeout(1) may send one signal twice.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Opens the outputs.
pub(crate) fn open(config: &Config) -> anyhow::Result<Vec<Sink>> {
    config
        .outputs
        .iter()
        .map(|destination| Sink::open(destination, config.format).map_err(Into::into))
        .collect()
}

/// Writes the stream to its end. A closed pipe ends it quietly.
pub(crate) fn write(mut collector: Collector, mut outputs: Vec<Sink>) -> anyhow::Result<ExitCode> {
    let stopping = stop_on_signals(collector.stopper()).context("cannot wait for signals")?;
    let mut events = Vec::with_capacity(BATCH);
    let mut last = None;
    while collector.wait(&mut events, BATCH) > 0 {
        last = events.last().map(Event::action);
        match write_batch(&mut events, &mut outputs, &stopping) {
            Ok(()) => {}
            Err(SinkError::Closed { .. }) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::ensure!(last == Some(Action::AgentStop), "the agent's thread ended before its time");
    Ok(ExitCode::SUCCESS)
}

fn write_batch(
    events: &mut Vec<Event>,
    outputs: &mut [Sink],
    stopping: &AtomicBool,
) -> Result<(), SinkError> {
    for event in events.drain(..) {
        for sink in &mut *outputs {
            patiently(sink.take(&event), sink, stopping)?;
        }
    }
    for sink in outputs {
        patiently(sink.flush(), sink, stopping)?;
    }
    Ok(())
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

/// SIGINT, SIGTERM and the end of the terminal end the stream in order; another one, a while later, ends the process at once.
fn stop_on_signals(stopper: Stopper) -> io::Result<Arc<AtomicBool>> {
    let stopping = Arc::new(AtomicBool::new(false));
    let asked = stopping.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let mut first = None;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                asked.store(true, Ordering::Release);
                let since = *first.get_or_insert_with(Instant::now);
                if since.elapsed() > SAME_SIGNAL {
                    // Nobody is left to tell where stderr is closed.
                    let _ = writeln!(
                        io::stderr(),
                        "collector: ended by another signal; what was not written is lost"
                    );
                    process::exit(1);
                }
                stopper.stop();
            }
        });
    })?;
    Ok(stopping)
}
