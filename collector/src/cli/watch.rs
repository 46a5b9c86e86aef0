//! The verbs that stream events: run and replay.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    thread,
};

use anyhow::Context as _;

use super::{
    args::{Replay, Run, Stream},
    log, outputs, progress,
    settings::Settings,
    signals,
    stop::Stop,
    summary,
    terminal::ColourChoice,
};
use crate::{
    builder::Builder,
    collector::{Collector, Handle, RunError, set_thread_nice},
    event::Action,
    filter::Note,
    stream::{
        batch::Batch,
        output::{Fanout, Opened},
        units::Millis,
    },
};

/// `collector run`
pub(super) fn run(run: &Run, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let mut settings = run.settings()?;
    log::start(&settings.log.level, colour.on(io::stderr().is_terminal()))?;
    let (warnings, rest): (Vec<_>, Vec<_>) = settings.resolve_paths().into_iter().partition(Note::is_warning);
    for message in Note::messages(&warnings) {
        tracing::warn!("{message}");
    }
    for message in Note::messages(&rest) {
        tracing::info!("{message}");
    }
    // First the outputs: nothing is loaded if one of them cannot be opened.
    let outputs = outputs::open_all(settings.outputs(), colour, run.stream.wide)?;
    let mut builder = builder(&settings, &run.stream);
    if let Some(path) = &run.record {
        builder = builder.record(path);
    }
    let collector = builder.start_batches(outputs.iter().any(Opened::needs_events))?;
    announce(&run.stream, &settings, collector.handle().agent().hooks.len());
    if let Some(time) = run.duration {
        stop_after(time, collector.handle())?;
    }
    let reload =
        run.stream.config.is_some().then(|| reload(run.clone(), settings.clone(), collector.handle()));
    // From here on this thread carries the events.
    set_thread_nice(settings.ring.nice);
    carry(collector, outputs, &settings, reload, &run.stream)
}

/// `collector replay`
pub(super) fn replay(replay: &Replay, colour: ColourChoice) -> anyhow::Result<ExitCode> {
    let settings = replay.settings()?;
    log::start(&settings.log.level, colour.on(io::stderr().is_terminal()))?;
    let outputs = outputs::open_all(settings.outputs(), colour, replay.stream.wide)?;
    let builder = builder(&settings, &replay.stream);
    let collector = builder.replay_batches(&replay.file, outputs.iter().any(Opened::needs_events))?;
    let _shown =
        if replay.stream.verbosity.quiet { None } else { collector.progress().and_then(progress::show) };
    carry(collector, outputs, &settings, None, &replay.stream)
}

fn builder(settings: &Settings, stream: &Stream) -> Builder {
    Builder::from(settings.config()).select(stream.selection()).stop_timeout(settings.stop_timeout())
}

/// Carries the stream to the outputs until it ends.
fn carry(
    mut collector: Collector<Batch>,
    outputs: Vec<Opened>,
    settings: &Settings,
    reload: Option<signals::Reload>,
    stream: &Stream,
) -> anyhow::Result<ExitCode> {
    let handle = collector.handle();
    let fanout = Fanout::start(outputs, {
        let handle = handle.clone();
        move || handle.stop()
    })?;
    collector.report_delivery(fanout.handle());
    let stop = Stop::new(handle.clone(), fanout.handle(), settings.stop_timeout());
    signals::follow(stop, reload).context("cannot wait for signals")?;
    let mut last = None;
    let mut failure: Option<RunError> = None;
    while let Some(item) = collector.wait() {
        match item {
            Ok(batch) => {
                last = batch.last().map(|entry| entry.action).or(last);
                fanout.offer(batch);
            }
            Err(error) => failure = Some(error),
        }
    }
    let reports = fanout.finish();
    summary::print(&handle.counters(), &reports, &stream.verbosity);
    if let Some(error) = failure {
        return Err(error.into());
    }
    anyhow::ensure!(last == Some(Action::AgentStop), "the stream ended without agent-stop");
    let failed = reports.iter().any(|report| report.is_failure);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the start line on a terminal or with -v; elsewhere the log has it.
fn announce(stream: &Stream, settings: &Settings, hooks: usize) {
    let events = settings.events.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ");
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    if stream.verbosity.prints_summary() {
        // Nobody reads a closed stderr.
        let _ = writeln!(io::stderr(), "collector: watching {events} on {host}; {hooks} hooks; Ctrl-C ends");
    } else {
        tracing::info!("watching {events} on {host}; {hooks} hooks");
    }
}

/// Stops the stream after a time, from a thread of its own.
fn stop_after(time: Millis, handle: Handle) -> anyhow::Result<()> {
    let wait = move || {
        thread::sleep(time.duration());
        handle.stop();
    };
    thread::Builder::new().name("duration".to_owned()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}

/// Reads the configuration file again. If it is wrong, the log says so and the agent goes on with the old one.
fn reload(run: Run, started_with: Settings, handle: Handle) -> signals::Reload {
    let read = move || -> anyhow::Result<Vec<&'static str>> {
        let mut settings = run.settings()?;
        settings.resolve_paths();
        let mut waiting = handle.reload(&settings.config())?;
        waiting.extend(settings.differs_in(&started_with));
        Ok(waiting)
    };
    Box::new(move || match read() {
        Ok(waiting) => {
            tracing::info!("reloaded the configuration");
            if !waiting.is_empty() {
                tracing::warn!("these changes of the configuration need a restart: {}", waiting.join(", "));
            }
        }
        Err(error) => tracing::error!("{error:#}; the old configuration stays"),
    })
}
