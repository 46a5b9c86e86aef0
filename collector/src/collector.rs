//! The agent as a library: [`Collector`] is a stream of events.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::{self, JoinHandle},
};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::{
    checksum::Algorithms,
    config::Config,
    digest::Digests,
    enrich::{Enricher, cgroup::Cgroups},
    event::{Action, Agent, AgentKind, Event},
    filter::{Filter, Selection},
    linux::{give_memory_back, set_nice},
    load::{self, LoadError, Loaded},
    machine::Machine,
    options,
    pipeline::{
        self, Commands, Pipeline, Stopper,
        outlet::{self, Lines, Outlet},
    },
    procfs::{OpenProcError, Proc},
    reload::Reloader,
    source::{
        Outcome, RecordSource,
        recording::{Progress, Recorder, Recording, RecordingError},
        replay::Replay,
        ring::Ring,
    },
    stream::format::Encoding,
    wake_event::WakeEvent,
};

/// Events in the channel between the agent's thread and whoever takes them. What waits beyond them is in the queue.
const CHANNEL: usize = 1024;
/// Batches of lines in that channel.
const LINES: usize = 8;

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The programs could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// /proc is not there.
    #[error(transparent)]
    Proc(#[from] OpenProcError),
    /// A recording could not be read or written.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The system refused a descriptor or a thread.
    #[error("cannot start the agent's thread")]
    Thread(#[source] io::Error),
    /// Only connections were asked for, and their hooks could not be attached.
    #[error("nothing to watch: {reason}")]
    NothingToWatch {
        /// Why not.
        reason: String,
    },
}

/// A running agent: a stream of events.
///
/// ```no_run
/// # async fn example() -> Result<(), collector::StartError> {
/// use collector::{Collector, event::Action};
/// use futures_util::StreamExt as _;
///
/// let mut events = Collector::builder().events([Action::Exec, Action::Exit]).start()?;
/// while let Some(event) = events.next().await {
///     println!("{:?}", event.process.and_then(|process| process.command_line));
/// }
/// # Ok(())
/// # }
/// ```
///
/// Where lines are wanted in the place of events, [`Builder::start_lines`] makes a stream of these, for less.
///
/// Dropping it detaches the programs.
#[derive(Debug)]
pub struct Collector<T = Event> {
    items: mpsc::Receiver<T>,
    stopper: Stopper,
    reloader: Reloader,
    agent: Agent,
    progress: Option<Progress>,
    thread: Option<JoinHandle<Outcome>>,
}

/// How a [`Collector`] is set up.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    config: Config,
    selection: Selection,
    record: Option<PathBuf>,
    proc: Option<PathBuf>,
}

impl Builder {
    /// With all of a configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The events that are wanted. `Connect` brings its results, and each the digests that come late.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = Action>) -> Self {
        self.config.events = events.into_iter().collect();
        self
    }

    /// Whether there is a record of each process that runs already.
    #[must_use]
    pub fn snapshot(mut self, snapshot: bool) -> Self {
        self.config.snapshot = snapshot;
        self
    }

    /// Writes only events that are selected. The others count as filtered.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Writes the raw records to a new file as well, for [`Builder::replay`].
    #[must_use]
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// Reads another directory in the place of /proc, in a replay.
    #[must_use]
    pub fn proc(mut self, path: impl Into<PathBuf>) -> Self {
        self.proc = Some(path.into());
        self
    }

    /// Loads and attaches the programs, and starts.
    pub fn start(self) -> Result<Collector, StartError> {
        self.live()?.events()
    }

    /// The same with each event as a line in each of these encodings.
    pub fn start_lines(self, encodings: Vec<Encoding>) -> Result<Collector<Lines>, StartError> {
        self.live()?.lines(encodings)
    }

    /// Takes the records out of a recording. /proc of the machine that it was made on is gone: what would have come from
    /// there is missing, unless [`Builder::proc`] gives it.
    pub fn replay(self, recording: &Path) -> Result<Collector, StartError> {
        self.recorded(recording)?.events()
    }

    /// The same with each event as a line in each of these encodings.
    pub fn replay_lines(
        self,
        recording: &Path,
        encodings: Vec<Encoding>,
    ) -> Result<Collector<Lines>, StartError> {
        self.recorded(recording)?.lines(encodings)
    }

    fn live(self) -> Result<Prepared, StartError> {
        let proc = Arc::new(Proc::live()?);
        let mixed = load::find_cgroup2().is_some_and(|mount| mount.is_mixed_with_v1());
        let machine = Machine::this(&proc, mixed);
        let mut loaded = Loaded::attach(&load::LoadOptions {
            ring_bytes: self.config.ring.bytes,
            connections: self.config.wants_connections(),
            kernel_log: self.config.log.kernel_level(),
            filter: self.config.filter.clone(),
        })?;
        loaded.note_running(images_of_running(&proc))?;
        let agent = agent(&machine, &loaded, &self.config.filter);
        self.check_connections(&agent)?;
        let ring = Ring::new(loaded);
        give_memory_back();
        let source: Box<dyn RecordSource> = match &self.record {
            Some(path) => Box::new(Recorder::create(ring, path, &machine)?),
            None => Box::new(ring),
        };
        let Self { config, selection, .. } = self;
        Ok(Prepared { config, selection, source, machine, proc, agent, progress: None, live: true })
    }

    fn recorded(self, recording: &Path) -> Result<Prepared, StartError> {
        let recording = Recording::open(recording)?;
        let machine = recording.machine().clone();
        let proc = Arc::new(self.proc.as_deref().map_or_else(|| Ok(Proc::nowhere()), Proc::at)?);

        let agent = Agent {
            kind: AgentKind::Collector,
            version: env!("CARGO_PKG_VERSION").into(),
            kernel: Some(machine.kernel.clone()),
            hooks: vec!["replay".to_owned()],
            degraded: BTreeMap::default(),
            filters: Filter { exec_limit: None, ..self.config.filter.clone() }.words(),
        };
        let mut config = self.config;
        // The kernel side judged the records by the filter of that run. This one comes on top.
        let selection = self.selection.rules(config.filter.clone());
        // The files of the machine that was recorded are not those of this one.
        config.checksums.algorithms = Algorithms::NONE;
        let source = Box::new(Replay::new(recording));
        let progress = Some(source.progress());
        Ok(Prepared { config, selection, source, machine, proc, agent, progress, live: false })
    }

    /// Connections that cannot be watched are a degraded feature, unless nothing else was asked for.
    fn check_connections(&self, agent: &Agent) -> Result<(), StartError> {
        let only_connections =
            self.config.events.iter().all(|action| matches!(action, Action::Connect | Action::ConnectResult));
        match agent.degraded.get(load::Part::Connections.feature()) {
            Some(reason) if only_connections => Err(StartError::NothingToWatch { reason: reason.clone() }),
            Some(_) | None => Ok(()),
        }
    }
}

/// All that the agent's thread needs but for where its events go.
struct Prepared {
    config: Config,
    selection: Selection,
    source: Box<dyn RecordSource>,
    machine: Machine,
    proc: Arc<Proc>,
    agent: Agent,
    progress: Option<Progress>,
    live: bool,
}

impl Prepared {
    fn events(self) -> Result<Collector, StartError> {
        let (sender, items) = mpsc::channel(CHANNEL);
        self.launch(Box::new(outlet::Events::into_channel(sender)), items)
    }

    fn lines(self, encodings: Vec<Encoding>) -> Result<Collector<Lines>, StartError> {
        let (sender, items) = mpsc::channel(LINES);
        self.launch(Box::new(outlet::Encoder::into_channel(sender, encodings)), items)
    }

    fn launch<T>(
        self,
        outlet: Box<dyn Outlet>,
        items: mpsc::Receiver<T>,
    ) -> Result<Collector<T>, StartError> {
        let Self { config, selection, source, machine, proc, agent, progress, live } = self;
        let announced = agent.clone();
        let waker = WakeEvent::new().map_err(|errno| StartError::Thread(errno.into()))?;
        let stopper = Stopper::new(waker.clone());
        let asked = stopper.clone();
        let commands = Commands::new(waker.clone());
        let reloader = Reloader::new(config.clone(), commands.clone());
        let run = move || {
            let cgroups =
                load::find_cgroup2().filter(|_| live).and_then(|mount| Cgroups::new(mount.path()).ok());
            let started_ns = machine.started_ns;
            let boot = machine.host.boot.as_ref().map_or("", |boot| boot.id.as_str());
            let run_id = format!("{boot}:{}", machine.started_ns).into();
            let enricher = Enricher::new(machine, proc.clone(), cgroups, options::enrich(&config));
            let digests = Digests::new(options::digest(&config), &proc, &waker);
            if live {
                go_before_others(config.ring.nice);
            }
            let options = pipeline::Options {
                actions: config.actions(),
                queue: config.queue.events,
                ring_bytes: usize::try_from(config.ring.bytes).unwrap_or(0),
                live,
            };
            let mut pipeline = Pipeline::new(source, enricher, digests, options, outlet, asked, run_id);
            pipeline.select(selection);
            if live {
                pipeline.obey(commands);
            }
            pipeline.run(agent, started_ns)
        };
        let thread =
            thread::Builder::new().name("collector".to_owned()).spawn(run).map_err(StartError::Thread)?;
        Ok(Collector { items, stopper, reloader, agent: announced, progress, thread: Some(thread) })
    }
}

fn agent(machine: &Machine, loaded: &Loaded, filter: &Filter) -> Agent {
    let degraded = loaded.degraded();
    Agent {
        kind: AgentKind::Collector,
        version: env!("CARGO_PKG_VERSION").into(),
        kernel: Some(machine.kernel.clone()),
        hooks: loaded.hooks().iter().map(|&hook| hook.to_owned()).collect(),
        degraded: degraded
            .iter()
            .map(|degraded| (degraded.feature.clone(), degraded.reason.clone()))
            .collect(),
        filters: filter.words(),
    }
}

/// The process ids that there are, and the path of what each runs, as far as it can be read.
fn images_of_running(proc: &Proc) -> impl Iterator<Item = (u32, Vec<u8>)> {
    let tgids = proc.tgids().unwrap_or_default().into_iter();
    tgids.filter_map(|tgid| Some((tgid, proc.process(tgid, None).ok()?.image().ok()?.path)))
}

impl Collector {
    /// A collector to be set up.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl<T> Collector<T> {
    /// Ends the stream from anywhere: what has begun still comes, then `agent-stop`, then nothing more.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What the agent says of itself on `agent-start`: its hooks, and what does not work on this machine.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Changes the configuration from anywhere. In a replay it changes nothing.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// How far a replay has read its recording; `None` for a live run.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.progress.clone()
    }

    /// How the source of the records ended: a recording may be damaged. To be called after the stream has ended; waits for
    /// the agent's thread. `None` if that thread panicked, and from the second call on.
    pub fn outcome(&mut self) -> Option<Outcome> {
        self.thread.take()?.join().ok()
    }

    /// Waits for the next of the stream on this thread; `None` means that it has ended. For programs without an async
    /// runtime; panics when it is called from inside one.
    pub fn wait(&mut self) -> Option<T> {
        self.items.blocking_recv()
    }
}

impl<T> Stream for Collector<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.items.poll_recv(context)
    }
}

impl<T> Drop for Collector<T> {
    fn drop(&mut self) {
        self.stopper.stop();
        self.items.close();
        if let Some(thread) = self.thread.take() {
            // It only fails where the thread panicked, which the panic has told.
            let _ = thread.join();
        }
    }
}

/// Gives the thread that asks a nice value: the one that reads the ring, and whoever takes a live stream from it. One that
/// does not get the CPU loses events for the other too. Without `CAP_SYS_NICE` it stays like any other.
pub fn go_before_others(nice: i32) {
    if let Err(errno) = set_nice(nice) {
        tracing::info!("a thread on the way of the events does not go before other processes: {errno}");
    }
}
