//! Ends a pipeline from outside.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::wake_event::WakeEvent;

/// Ends a pipeline from outside.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: Arc<AtomicBool>,
    pub(super) wake: WakeEvent,
}

impl Stopper {
    /// A stopper for the pipeline whose thread waits for `wake`.
    #[must_use]
    pub fn new(wake: WakeEvent) -> Self {
        Self { stop: Arc::new(AtomicBool::new(false)), wake }
    }

    /// Asks the pipeline to end, and returns at once. Events of what has happened by now still come, then `agent-stop`.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake.wake();
    }

    pub(super) fn is_asked(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
