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
    pub(super) waker: WakeEvent,
}

impl Stopper {
    /// For a pipeline that waits with this bell.
    #[must_use]
    pub fn new(waker: WakeEvent) -> Self {
        Self { stop: Arc::new(AtomicBool::new(false)), waker }
    }

    /// Lets nothing new begin: what has begun is given out, then `agent-stop`, then the stream ends.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn is_asked(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
