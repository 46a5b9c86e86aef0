//! One stream to many outputs.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use collector_event::OutputCounters;

use super::{
    bell::Bell,
    buffer::{Buffer, Counts},
    config::{OutputConfig, WhenClosed, WhenFull},
    destination::Destination,
    encoder::Encoder,
    file::FileSink,
    line_writer::LineWriter,
    selection::Selection,
    sink::{OpenError, Sink},
    stdout::Stdout,
    worker::{Ending, Worker},
};
use crate::{
    batch::{Batch, Delivery},
    format::{CompactFormat, CompactOptions, Format},
};

/// How long the thread of an output takes at most to notice that its time is up.
const NOTICE: Duration = Duration::from_millis(100);

/// How outputs for people look.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Style {
    /// For an output that is a terminal.
    pub terminal: CompactOptions,
    /// For any other output with the compact format.
    pub plain: CompactOptions,
}

impl Style {
    /// With these options.
    #[must_use]
    pub fn new(terminal: CompactOptions, plain: CompactOptions) -> Self {
        Self { terminal, plain }
    }
}

/// An output that is open and has no thread yet.
pub struct Opened {
    config: OutputConfig,
    format: Format,
    sink: Box<dyn Sink>,
    encoder: Encoder,
}

impl Opened {
    /// Whether it needs the typed events of a batch, beside their native JSON.
    #[must_use]
    pub fn needs_events(&self) -> bool {
        self.format != Format::Json
    }
}

/// Opens an output. It does not wait for anything.
///
/// # Errors
///
/// The destination cannot be opened.
pub fn open(config: OutputConfig, style: &Style) -> Result<Opened, OpenError> {
    let (sink, is_terminal): (Box<dyn Sink>, bool) = match &config.to {
        Destination::Stdout => (Box::new(Stdout::open()?), io::IsTerminal::is_terminal(&io::stdout())),
        Destination::File(path) => {
            let sink = FileSink::open(path, config.mode.unwrap_or_default())?;
            let is_terminal = sink.is_terminal();
            (Box::new(sink), is_terminal)
        }
    };
    let format = config.format.unwrap_or(if is_terminal { Format::Compact } else { Format::Json });
    let encoder = match format {
        Format::Json => Encoder::Json,
        Format::Compact => {
            let options = if is_terminal { &style.terminal } else { &style.plain };
            Encoder::Compact(Box::new(CompactFormat::new(options.clone())))
        }
    };
    Ok(Opened { config, format, sink, encoder })
}

/// Gives every batch to every output. Dropping it leaves the outputs' threads to themselves; [`Fanout::finish`] ends them.
#[derive(Debug)]
pub struct Fanout {
    shared: Arc<Outputs>,
}

/// Reads the counters and passes on requests, from any thread.
#[derive(Clone, Debug)]
pub struct FanoutHandle {
    shared: Arc<Outputs>,
}

#[derive(Debug)]
struct Outputs {
    outputs: Vec<Output>,
    /// `event.sequence` of the last event of the last batch.
    offered: AtomicU64,
    progress: Mutex<Progress>,
    /// Something about the progress has changed.
    changed: Condvar,
}

/// How far the end of the run has come.
#[derive(Debug)]
struct Progress {
    /// How each output ended, once it did.
    endings: Vec<Option<Ending>>,
    /// Until when outputs may deliver, if that is bounded.
    deadline: Option<Instant>,
}

#[derive(Debug)]
struct Output {
    name: Arc<str>,
    selection: Selection,
    buffer: Arc<Buffer>,
    bell: Arc<Bell>,
    on_closed: OnClosed,
}

/// What the end of an output means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnClosed {
    /// The others go on.
    Remove,
    /// The run ends, and that is an error.
    End,
    /// The run ends. A reader that closes its pipe has enough; anything else is an error.
    EndQuietly,
}

/// What became of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputReport {
    /// Its counters at the end.
    pub counters: OutputCounters,
    /// How it ended.
    pub ending: Ending,
    /// Whether the run failed by that.
    pub is_failure: bool,
}

impl Fanout {
    /// Starts a thread for each output. `end_run` is called, from one of these threads, when the run has to end: an output with
    /// [`WhenClosed::End`] closed or failed, or no output is left.
    ///
    /// # Errors
    ///
    /// The system refuses a thread or a descriptor.
    pub fn start(
        outputs: Vec<Opened>,
        end_run: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let only = outputs.len() == 1;
        let mut ready = Vec::new();
        let mut workers = Vec::new();
        for opened in outputs {
            let (output, worker) = prepare(opened, only)?;
            ready.push(output);
            workers.push(worker);
        }
        let shared = Arc::new(Outputs {
            progress: Mutex::new(Progress { endings: vec![None; ready.len()], deadline: None }),
            outputs: ready,
            offered: AtomicU64::new(0),
            changed: Condvar::new(),
        });
        let end_run = Arc::new(end_run);
        for (index, worker) in workers.into_iter().enumerate() {
            let (name, shared, end_run) = (worker.name.clone(), shared.clone(), end_run.clone());
            let run = move || {
                if shared.note_ending(index, worker.run()) {
                    end_run();
                }
            };
            let thread = thread::Builder::new().name("output".to_owned());
            thread.spawn(run).map_err(|source| OpenError::Thread { output: name.to_string(), source })?;
        }
        Ok(Self { shared })
    }

    /// Reads counters and passes on requests from other threads.
    #[must_use]
    pub fn handle(&self) -> FanoutHandle {
        FanoutHandle { shared: self.shared.clone() }
    }

    /// Offers a batch to every output. It waits only for an output with [`WhenFull::Block`] that is the only one.
    pub fn offer(&self, batch: Batch) {
        let last = batch.last().map_or(0, |entry| entry.sequence);
        let batch = Arc::new(batch);
        for output in &self.shared.outputs {
            if let Some(events) = output.selection.of_batch(&batch) {
                output.buffer.offer(&batch, events);
            }
        }
        self.shared.offered.store(last, Ordering::Release);
    }

    /// Ends the stream, and waits until every output has delivered all: however long that takes, unless
    /// [`FanoutHandle::deliver_until`] bounds it, before or meanwhile.
    #[must_use]
    pub fn finish(self) -> Vec<OutputReport> {
        for output in &self.shared.outputs {
            output.buffer.end();
            output.bell.ring();
        }
        let mut progress = self.shared.progress();
        while progress.endings.iter().any(Option::is_none) {
            let left = progress
                .deadline
                .map(|deadline| (deadline + NOTICE).saturating_duration_since(Instant::now()));
            progress = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    self.shared.changed.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.shared.changed.wait(progress).unwrap_or_else(PoisonError::into_inner),
            };
        }
        drop(progress);
        self.handle().reports()
    }
}

impl FanoutHandle {
    /// Has every output open its destination again, as after a rotation.
    pub fn reopen(&self) {
        for output in &self.shared.outputs {
            output.buffer.ask_reopen();
            output.bell.ring();
        }
    }

    /// Bounds every wait in [`Fanout::offer`] by this moment: from then on a full buffer drops new events, whatever its policy.
    pub fn block_until(&self, deadline: Instant) {
        self.shared.outputs.iter().for_each(|output| output.buffer.block_until(deadline));
    }

    /// Bounds by this moment how long outputs may go on delivering. What they did not deliver by then is pending for ever.
    pub fn deliver_until(&self, deadline: Instant) {
        for output in &self.shared.outputs {
            output.buffer.deliver_until(deadline);
            output.bell.ring();
        }
        self.shared.progress().deadline = Some(deadline);
        self.shared.changed.notify_all();
    }

    /// What has become of each output so far. An output that still runs is incomplete.
    #[must_use]
    pub fn reports(&self) -> Vec<OutputReport> {
        let endings = self.shared.progress().endings.clone();
        let running = || Ending::Incomplete("the time was up".to_owned());
        let outputs = self.shared.outputs.iter().zip(endings);
        outputs
            .map(|(output, ending)| {
                let ending = ending.unwrap_or_else(running);
                OutputReport { counters: output.counters(), is_failure: output.is_failure(&ending), ending }
            })
            .collect()
    }
}

impl Delivery for FanoutHandle {
    fn offered(&self) -> u64 {
        self.shared.offered.load(Ordering::Acquire)
    }

    fn counters(&self) -> Vec<OutputCounters> {
        self.shared.outputs.iter().map(Output::counters).collect()
    }
}

impl Outputs {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how an output ended; answers whether the run has to end by that.
    fn note_ending(&self, index: usize, ending: Ending) -> bool {
        let closed = matches!(ending, Ending::Closed | Ending::Failed(_));
        let output = self.outputs.get(index);
        let quiet =
            ending == Ending::Closed && output.is_some_and(|output| output.on_closed == OnClosed::EndQuietly);
        if let (true, Some(output)) = (closed && !quiet, output) {
            let what = match &ending {
                Ending::Failed(why) => why.as_str(),
                _ => "nobody reads it any more",
            };
            tracing::warn!("output {} has ended: {what}", output.name);
        }
        let mut progress = self.progress();
        if let Some(place) = progress.endings.get_mut(index) {
            *place = Some(ending);
        }
        self.changed.notify_all();
        let ends_run = output.is_some_and(|output| output.on_closed != OnClosed::Remove);
        closed && (ends_run || progress.endings.iter().all(Option::is_some))
    }
}

impl Output {
    fn counters(&self) -> OutputCounters {
        let Counts { written, delivered, dropped } = self.buffer.counts();
        let pending = written - delivered - dropped;
        OutputCounters { name: self.name.clone(), written, delivered, dropped, pending }
    }

    fn is_failure(&self, ending: &Ending) -> bool {
        match ending {
            Ending::Complete => false,
            Ending::Incomplete(_) => self.counters().pending > 0,
            Ending::Closed => self.on_closed == OnClosed::End,
            Ending::Failed(_) => true,
        }
    }
}

/// The output and its worker, with the defaults of what is not configured. `only` says that there is no other output.
fn prepare(opened: Opened, only: bool) -> Result<(Output, Worker), OpenError> {
    let Opened { config, sink, encoder, .. } = opened;
    let name: Arc<str> = config.to.to_string().into();
    let is_stdout = config.to == Destination::Stdout;
    let when_full = match config.when_full {
        Some(WhenFull::Block) if !only => WhenFull::DropNewest,
        Some(when_full) => when_full,
        None if only => WhenFull::Block,
        None => WhenFull::DropOldest,
    };
    let (when_closed, on_closed) = match (config.when_closed, is_stdout) {
        (Some(WhenClosed::Retry), _) | (None, false) => (WhenClosed::Retry, OnClosed::Remove),
        (Some(WhenClosed::End), _) => (WhenClosed::End, OnClosed::End),
        (None, true) if only => (WhenClosed::End, OnClosed::EndQuietly),
        (Some(WhenClosed::Remove), _) | (None, true) => (WhenClosed::Remove, OnClosed::Remove),
    };
    let bell =
        Bell::new().map_err(|errno| OpenError::Thread { output: name.to_string(), source: errno.into() })?;
    let (buffer, bell) = (Arc::new(Buffer::new(config.buffer.0, when_full)), Arc::new(bell));
    let worker = Worker {
        name: name.clone(),
        buffer: buffer.clone(),
        encoder,
        selection: config.select.clone(),
        lines: LineWriter::new(name.clone(), buffer.clone(), bell.clone(), sink, when_closed),
    };
    Ok((Output { name, selection: config.select, buffer, bell, on_closed }, worker))
}
