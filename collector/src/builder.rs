//! Configures and starts an agent.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    checksum::Algorithms,
    collector::Collector,
    config::{Checksums, Config, Redaction},
    event::{Action, Agent, AgentKind},
    filter::{Filter, Selection},
    linux::give_memory_back,
    load::{self, Loaded},
    machine::Machine,
    prepared::Prepared,
    procfs::Proc,
    source::{
        RecordSource,
        recording::{Progress, Recorder, Recording},
        replay::Replay,
        ring::Ring,
    },
    start_error::StartError,
    stream::batch::Batch,
};

/// Configures an agent. Without any call it reports exec, exit and connect, as the binary does.
///
/// ```no_run
/// use collector::{
///     Collector,
///     checksum::{Algorithm, Algorithms},
///     config::{Checksums, Mode, Redaction},
///     filter::Filter,
/// };
///
/// let mut filter = Filter::default();
/// filter.exclude.push("comm=cron".parse()?);
/// let mut checksums = Checksums::default();
/// checksums.algorithms = Algorithms::from_iter([Algorithm::Sha256]);
/// let mut redaction = Redaction::default();
/// redaction.mode = Mode::Allow;
///
/// let builder = Collector::builder().filter(filter).checksums(checksums).redaction(redaction);
/// let events = builder.start()?;
/// for (feature, reason) in &events.handle().agent().degraded {
///     eprintln!("{feature} does not work on this machine: {reason}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Builder {
    config: Config,
    selection: Selection,
    record: Option<PathBuf>,
    proc: Option<PathBuf>,
    stop_timeout: Option<Duration>,
}

impl Collector {
    /// A collector to be configured.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// With every value of a configuration.
impl From<Config> for Builder {
    fn from(config: Config) -> Self {
        Self { config, ..Self::default() }
    }
}

impl Builder {
    /// The events that are reported. `Connect` brings its results, and every action the digests that come late.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = Action>) -> Self {
        self.config.events = events.into_iter().collect();
        self
    }

    /// Whether each process that runs already is reported first.
    #[must_use]
    pub fn snapshot(mut self, snapshot: bool) -> Self {
        self.config.snapshot = snapshot;
        self
    }

    /// What is left out, in the kernel.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.config.filter = filter;
        self
    }

    /// The events that are written; the others count as filtered. Unlike a filter it picks events rather than processes, and
    /// can end the stream.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Which secrets are hidden.
    #[must_use]
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.config.redaction = redaction;
        self
    }

    /// Which digests are computed of the images, and for how long an event waits for them.
    #[must_use]
    pub fn checksums(mut self, checksums: Checksums) -> Self {
        self.config.checksums = checksums;
        self
    }

    /// Writes the raw records to a new file as well, for [`Builder::replay`].
    #[must_use]
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// In a replay, reads this directory as /proc. Without it, a replay has no /proc.
    #[must_use]
    pub fn proc(mut self, path: impl Into<PathBuf>) -> Self {
        self.proc = Some(path.into());
        self
    }

    /// How long a stop may take, 5 s without this call: late digests are waited for no longer than that.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = Some(timeout);
        self
    }

    /// Loads and attaches the programs, and starts. When it returns, every event from then on is seen.
    ///
    /// It blocks the calling thread for 0.1 to 0.5 s, most of which the kernel takes to verify the programs; async code uses
    /// [`Builder::start_in_background`]. The agent has a thread of its own, with the nice value `ring.nice`.
    ///
    /// # Errors
    ///
    /// The configuration is wrong, the process is not privileged, the kernel lacks what the agent needs, or the crate was built
    /// without its kernel programs.
    pub fn start(self) -> Result<Collector, StartError> {
        self.live()?.events()
    }

    /// As [`Builder::start`], on a thread of its own, for any async runtime.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub async fn start_in_background(self) -> Result<Collector, StartError> {
        let (sender, started) = oneshot::channel();
        let start = move || {
            // If nobody waits for it any more, the agent stops again.
            let _ = sender.send(self.start());
        };
        thread::Builder::new().name("start".to_owned()).spawn(start).map_err(StartError::Thread)?;
        started.await.unwrap_or_else(|_| Err(StartError::Thread(io::Error::other("the thread panicked"))))
    }

    /// As [`Builder::start`], with batches of encoded events instead of events: cheaper than encoding them yourself.
    /// `with_events` keeps the typed events beside their lines.
    ///
    /// With the feature `output`, a `Fanout` carries the batches to any number of outputs. Each has a buffer and a thread of
    /// its own, so that none delays another or the agent:
    ///
    #[cfg_attr(feature = "output", doc = "```no_run")]
    #[cfg_attr(not(feature = "output"), doc = "```ignore")]
    /// use std::time::{Duration, Instant};
    ///
    /// use collector::{
    ///     Collector,
    ///     stream::output::{Fanout, OutputConfig, Style, open},
    /// };
    ///
    /// let mut outputs = Vec::new();
    /// for word in ["stdout,format=json", "file:/var/log/events.jsonl,buffer=64MiB,when_full=drop_oldest"] {
    ///     outputs.push(open(word.parse::<OutputConfig>()?, &Style::default())?);
    /// }
    /// let with_events = outputs.iter().any(|output| output.needs_events());
    ///
    /// let mut batches = Collector::builder().start_batches(with_events)?;
    /// let handle = batches.handle();
    /// let fanout = Fanout::start(outputs, move || handle.stop())?;
    /// batches.report_delivery(fanout.handle());
    /// while let Some(batch) = batches.wait() {
    ///     fanout.offer(batch?);
    /// }
    /// for output in fanout.finish() {
    ///     println!("{}: {} of {} delivered", output.counters.name, output.counters.delivered, output.counters.written);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start_batches(self, with_events: bool) -> Result<Collector<Batch>, StartError> {
        self.live()?.batches(with_events)
    }

    /// Takes the records from a recording. It needs no privileges. /proc of the machine that was recorded is gone: what
    /// would have come from there is missing, unless [`Builder::proc`] provides it.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use collector::{Collector, event::Action};
    ///
    /// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/exit-by-signal-6.18-2026-11-23.rec");
    /// let mut events = Collector::builder().replay(Path::new(file))?;
    /// let mut exits = 0;
    /// while let Some(event) = events.wait() {
    ///     exits += u32::from(event?.action() == Action::Exit);
    /// }
    /// assert!(exits > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The configuration is wrong, or the file is not a recording.
    pub fn replay(self, recording: &Path) -> Result<Collector, StartError> {
        self.recorded(recording)?.events()
    }

    /// As [`Builder::replay`], with batches instead of events.
    ///
    /// # Errors
    ///
    /// As [`Builder::replay`].
    pub fn replay_batches(self, recording: &Path, with_events: bool) -> Result<Collector<Batch>, StartError> {
        self.recorded(recording)?.batches(with_events)
    }

    fn live(self) -> Result<Prepared, StartError> {
        self.config.check()?;
        let proc = Arc::new(Proc::live()?);
        let mixed = load::find_cgroup2().is_some_and(|mount| mount.is_mixed_with_v1());
        let machine = Machine::this(&proc, mixed);
        let mut loaded = Loaded::attach(&load::LoadOptions {
            ring_bytes: self.config.ring.bytes,
            connections: self.config.wants_connections(),
            kernel_log: self.config.kernel_log.level(),
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
        Ok(self.prepared(source, machine, proc, agent, None))
    }

    fn recorded(mut self, recording: &Path) -> Result<Prepared, StartError> {
        self.config.check()?;
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
        // The kernel side judged the records by the filter of that run. This one comes on top.
        self.selection = self.selection.rules(self.config.filter.clone());
        if !proc.is_nowhere() {
            // The files of the machine that was recorded are not those of this one.
            self.config.checksums.algorithms = Algorithms::NONE;
        }
        let source = Box::new(Replay::new(recording));
        let progress = source.progress();
        Ok(self.prepared(source, machine, proc, agent, Some(progress)))
    }

    fn prepared(
        self,
        source: Box<dyn RecordSource>,
        machine: Machine,
        proc: Arc<Proc>,
        agent: Agent,
        progress: Option<Progress>,
    ) -> Prepared {
        let Self { config, selection, stop_timeout, .. } = self;
        let stop_timeout = stop_timeout.unwrap_or(Duration::from_secs(5));
        Prepared { config, selection, stop_timeout, source, machine, proc, agent, progress }
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

/// The process ids that exist, and the path of what each runs, as far as it can be read.
fn images_of_running(proc: &Proc) -> impl Iterator<Item = (u32, Vec<u8>)> {
    let tgids = proc.tgids().unwrap_or_default().into_iter();
    tgids.filter_map(|tgid| Some((tgid, proc.process(tgid, None).ok()?.image().ok()?.path)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Builder, StartError};
    use crate::config::Config;

    #[test]
    fn a_wrong_configuration_is_refused_before_anything_starts() {
        let mut config = Config::default();
        config.queue.events = 0;
        let refused = Builder::from(config).replay(Path::new("/nowhere")).map(drop);
        assert!(matches!(refused, Err(StartError::Config(_))), "{refused:?}");
    }
}
