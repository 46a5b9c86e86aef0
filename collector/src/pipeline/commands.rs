//! What other threads ask of the running pipeline.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{digest::Limits, wake_event::WakeEvent};

/// A mailbox that any thread writes to and the pipeline empties. A newer command replaces an older one of its kind that
/// the pipeline has not taken yet.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    digest_limits: Arc<Mutex<Option<Limits>>>,
    waker: WakeEvent,
}

impl Commands {
    /// An empty mailbox. Each command wakes the thread that waits for `waker`.
    pub(crate) fn new(waker: WakeEvent) -> Self {
        Self { digest_limits: Arc::default(), waker }
    }

    /// Asks for these limits on every digest from now on.
    pub(crate) fn set_digest_limits(&self, limits: Limits) {
        *self.digest_limits.lock().unwrap_or_else(PoisonError::into_inner) = Some(limits);
        self.waker.wake();
    }

    /// The limits that were asked for since the last call, if any.
    pub(crate) fn take_digest_limits(&self) -> Option<Limits> {
        self.digest_limits.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
