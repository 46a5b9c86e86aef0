//! The running agent: [`Collector`] is its stream, [`Handle`] controls it from anywhere.

use std::{
    any::Any,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle, Thread},
};

use futures_core::Stream;

use crate::{
    config::{Config, ConfigError},
    event::{Agent, Counters, Event},
    linux::set_nice,
    pipeline::{Stopper, channel::Items, commands::Commands, published_counters::PublishedCounters},
    reload::Reloader,
    source::{Damage, Outcome, recording::Progress},
    stream::batch::{Batch, Delivery},
};

/// A running agent: a stream of events, or of [batches](Batch) of encoded ones.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use collector::{Collector, event::Action};
/// use futures_util::StreamExt as _;
///
/// let mut events = Collector::builder().events([Action::Exec, Action::Exit]).start()?;
/// while let Some(event) = events.next().await {
///     println!("{:?}", event?.process.and_then(|process| process.command_line));
/// }
/// # Ok(())
/// # }
/// ```
///
/// An error is the last item before the end.
///
/// A slow consumer loses events, and delays neither the kernel nor the agent. The queue holds `queue.events` of them; when it
/// is full, the agent counts further events and reports them as [`Loss`](crate::event::Loss) once there is room again. What it
/// knows of the processes stays complete.
///
/// Dropping it asks the agent to stop and returns at once, in async code too; events that were not taken are lost. The agent's
/// thread detaches the programs a moment later. [`Collector::stop_and_wait`] waits for that, and [`Handle::stop`] ends the
/// stream in order: all that has begun still comes.
#[derive(Debug)]
pub struct Collector<T = Event> {
    items: Items<T>,
    handle: Handle,
    progress: Option<Progress>,
    thread: Option<JoinHandle<Outcome>>,
}

/// Controls a running agent, from any thread. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Handle {
    stopper: Stopper,
    reloader: Reloader,
    commands: Commands,
    counters: PublishedCounters,
    agent: Arc<Agent>,
}

/// Why a stream ended before its `agent-stop`, or with part of its records missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The agent's thread panicked: a bug. Events that it held are lost.
    #[error("the agent's thread panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The recording that was replayed is damaged. What could be read was reported.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

impl<T> Collector<T> {
    pub(crate) fn new(
        items: Items<T>,
        handle: Handle,
        progress: Option<Progress>,
        thread: JoinHandle<Outcome>,
    ) -> Self {
        Self { items, handle, progress, thread: Some(thread) }
    }

    /// Controls the agent from anywhere, also after the stream was moved or dropped.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// How far a replay has read its recording; none for a live run.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.progress.clone()
    }

    /// The next item; none at the end. It blocks the calling thread, inside an async runtime too: async code uses the
    /// [`Stream`] instead.
    ///
    /// ```
    /// # use std::path::Path;
    /// use collector::{Collector, event::Action};
    ///
    /// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/exit-by-signal-6.18-2026-11-23.rec");
    /// # let start = |builder: collector::Builder| builder.replay(Path::new(file));
    /// let mut events = start(Collector::builder())?;
    /// let mut last = None;
    /// while let Some(event) = events.wait() {
    ///     last = Some(event?);
    /// }
    /// assert_eq!(last.map(|event| event.action()), Some(Action::AgentStop), "the last event of an orderly run");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&mut self) -> Option<Result<T, RunError>> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match self.poll(&mut context) {
                Poll::Ready(item) => return item,
                // A spurious return polls once more.
                Poll::Pending => thread::park(),
            }
        }
    }

    /// Asks the agent to stop, and waits until its thread has detached the programs: a moment, or at most half of
    /// [`Builder::stop_timeout`](crate::Builder::stop_timeout) where digests are still computed. It blocks the calling thread.
    /// Items that were not taken are lost.
    ///
    /// # Errors
    ///
    /// The agent's thread panicked, or the recording that was replayed is damaged.
    pub fn stop_and_wait(mut self) -> Result<(), RunError> {
        self.handle.stop();
        self.items.close();
        match self.end() {
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, RunError>>> {
        match self.items.poll_next(context) {
            Poll::Ready(Some(item)) => Poll::Ready(Some(Ok(item))),
            Poll::Ready(None) => Poll::Ready(self.end()),
            Poll::Pending => Poll::Pending,
        }
    }

    /// How the agent's thread ended, once. That thread has nothing left to do but to return.
    fn end(&mut self) -> Option<Result<T, RunError>> {
        match self.thread.take()?.join() {
            Ok(Outcome::Finished) => None,
            Ok(Outcome::Damaged(damage)) => Some(Err(damage.into())),
            Err(panic) => Some(Err(RunError::Panicked { message: message(&*panic) })),
        }
    }
}

impl<T> Stream for Collector<T> {
    type Item = Result<T, RunError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl<T> Drop for Collector<T> {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

impl Collector<Batch> {
    /// Has `agent-stop` report how the outputs fared that the batches are given to.
    pub fn report_delivery(&self, delivery: impl Delivery + 'static) {
        self.handle.commands.set_delivery(Box::new(delivery));
    }
}

impl Handle {
    pub(crate) fn new(
        stopper: Stopper,
        reloader: Reloader,
        commands: Commands,
        counters: PublishedCounters,
        agent: Arc<Agent>,
    ) -> Self {
        Self { stopper, reloader, commands, counters, agent }
    }

    /// Ends the stream: what has begun still comes, then `agent-stop`, then nothing more. It does not wait for that.
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// Takes over what can change while the agent runs: `checksums.algorithms`, `checksums.max_bytes` and
    /// `checksums.wait_ms`, for every event from now on. Returns the other keys that differ from the configuration of the
    /// start: they need a restart. In a replay it changes nothing.
    ///
    /// # Errors
    ///
    /// The configuration is wrong. Then nothing changes.
    pub fn reload(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        self.reloader.reload(config)
    }

    /// The counters of each action, as they were a quarter of a second ago at most.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters.counters()
    }

    /// What the agent says of itself on `agent-start`: its hooks, and the features that do not work on this machine.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }
}

/// Sets the calling thread's nice value. Call it on the thread that consumes a live stream: if that starves, the queue
/// overflows. Without `CAP_SYS_NICE` a value below the current one is refused, and the thread stays as it is.
pub fn set_thread_nice(nice: i32) {
    if let Err(errno) = set_nice(nice) {
        tracing::info!("cannot set the nice value of a thread that carries events to {nice}: {errno}");
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What a panic said: `panic!` has a string of one of two types.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::{Collector, Commands, Handle, RunError};
    use crate::{
        config::Config,
        event::{Agent, AgentKind},
        pipeline::{Stopper, channel::channel, published_counters::PublishedCounters},
        reload::Reloader,
        source::Outcome,
        wake_event::WakeEvent,
    };

    fn handle(wake: &WakeEvent) -> Handle {
        let commands = Commands::new(wake.clone());
        let agent = Agent {
            kind: AgentKind::Collector,
            version: "0".into(),
            kernel: None,
            hooks: Vec::new(),
            degraded: std::collections::BTreeMap::new(),
            filters: Vec::new(),
        };
        let reloader = Reloader::new(Config::default(), commands.clone());
        Handle::new(
            Stopper::new(wake.clone()),
            reloader,
            commands,
            PublishedCounters::default(),
            Arc::new(agent),
        )
    }

    #[test]
    fn a_panic_of_the_agents_thread_is_an_error_and_not_the_end_of_the_stream() {
        let wake = WakeEvent::new().unwrap();
        let (mut slots, items) = channel::<u32>(1, wake.clone());
        let thread = thread::spawn(move || -> Outcome {
            assert!(slots.reserve().unwrap());
            slots.send(7);
            // As a panic, but without its backtrace: that maps the whole test binary, which a test of mappings would see.
            std::panic::resume_unwind(Box::new("a bug with the number 8".to_owned()))
        });
        let mut collector = Collector::new(items, handle(&wake), None, thread);
        assert_eq!(collector.wait(), Some(Ok(7)));
        let message = "a bug with the number 8".to_owned();
        assert_eq!(collector.wait(), Some(Err(RunError::Panicked { message })));
        assert_eq!(collector.wait(), None);
    }

    #[test]
    fn dropping_it_does_not_wait_for_the_agents_thread() {
        let wake = WakeEvent::new().unwrap();
        let (_slots, items) = channel::<u32>(1, wake.clone());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let _ = held.recv();
            Outcome::Finished
        });
        drop(Collector::new(items, handle(&wake), None, thread));
        assert!(release.send(()).is_ok(), "the thread still runs");
    }
}
