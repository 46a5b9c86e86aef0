//! An agent that is configured and has its source of records: it starts the thread.

use std::{sync::Arc, thread, time::Duration};

use crate::{
    collector::{Collector, Handle, set_thread_nice},
    config::Config,
    describe::Cgroups,
    digest::Digests,
    enrich::Enricher,
    event::Agent,
    filter::Selection,
    load,
    machine::Machine,
    options,
    pipeline::{
        self, Pipeline, Stopper,
        channel::{Slots, channel},
        commands::Commands,
        handoff::{Batches, Events, Handoff},
        published_counters::PublishedCounters,
    },
    procfs::Proc,
    reload::Reloader,
    source::{RecordSource, recording::Progress},
    start_error::StartError,
    stream::batch::{Batch, BatchBuilder},
    wake_event::WakeEvent,
};

/// Events in the channel to the consumer. What waits beyond them is in the queue.
const EVENTS: usize = 1024;
/// Batches in that channel.
const BATCHES: usize = 8;

/// Everything that the agent's thread needs, except where its events go.
pub(crate) struct Prepared {
    pub(crate) config: Config,
    pub(crate) selection: Selection,
    pub(crate) stop_timeout: Duration,
    pub(crate) source: Box<dyn RecordSource>,
    pub(crate) machine: Machine,
    pub(crate) proc: Arc<Proc>,
    pub(crate) agent: Agent,
    /// Of a replay.
    pub(crate) progress: Option<Progress>,
}

impl Prepared {
    /// Starts, and hands on events.
    pub(crate) fn events(self) -> Result<Collector, StartError> {
        self.launch(EVENTS, |slots| Box::new(Events::new(slots)))
    }

    /// Starts, and hands on batches.
    pub(crate) fn batches(self, with_events: bool) -> Result<Collector<Batch>, StartError> {
        self.launch(BATCHES, |slots| Box::new(Batches::new(slots, BatchBuilder::new(with_events))))
    }

    fn launch<T>(
        self,
        capacity: usize,
        handoff: impl FnOnce(Slots<T>) -> Box<dyn Handoff>,
    ) -> Result<Collector<T>, StartError> {
        let wake = WakeEvent::new().map_err(|errno| StartError::Thread(errno.into()))?;
        let (slots, items) = channel(capacity, wake.clone());
        let stopper = Stopper::new(wake.clone());
        let commands = Commands::new(wake.clone());
        let counters = PublishedCounters::default();
        let reloader = Reloader::new(self.config.clone(), commands.clone());
        let agent = Arc::new(self.agent.clone());
        let handle = Handle::new(stopper.clone(), reloader, commands.clone(), counters.clone(), agent);
        let progress = self.progress.clone();
        let handoff = handoff(slots);
        let run = move || {
            let (agent, started_ns) = (self.agent.clone(), self.machine.started_ns);
            self.pipeline(handoff, stopper, commands, counters, &wake).run(agent, started_ns)
        };
        let thread =
            thread::Builder::new().name("collector".to_owned()).spawn(run).map_err(StartError::Thread)?;
        Ok(Collector::new(items, handle, progress, thread))
    }

    /// The pipeline, on the thread that will run it.
    fn pipeline(
        self,
        handoff: Box<dyn Handoff>,
        stopper: Stopper,
        commands: Commands,
        counters: PublishedCounters,
        wake: &WakeEvent,
    ) -> Pipeline {
        let Self { config, selection, stop_timeout, source, machine, proc, progress, .. } = self;
        let live = progress.is_none();
        let cgroups = load::find_cgroup2().filter(|_| live).and_then(|mount| Cgroups::new(mount.path()).ok());
        let boot = machine.host.boot.as_ref().map_or("", |boot| boot.id.as_str());
        let run_id = format!("{boot}:{}", machine.started_ns).into();
        let digests = Digests::new(options::digest(&config), &proc, wake);
        if live {
            set_thread_nice(config.ring.nice);
        }
        Pipeline::new(pipeline::Setup {
            source,
            digests,
            enricher: Enricher::new(machine, proc, cgroups, options::enrich(&config)),
            options: pipeline::PipelineOptions {
                actions: config.actions(),
                queue: config.queue.events,
                ring_bytes: usize::try_from(config.ring.bytes).unwrap_or(0),
                // Time is left for what follows: the outputs have to deliver the rest.
                digest_grace: stop_timeout / 2,
                live,
            },
            selection,
            handoff,
            stopper,
            commands,
            counters,
            run_id,
        })
    }
}
