//! What other threads ask of a running pipeline.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{digest::DigestLimits, stream::batch::Delivery, wake_event::WakeEvent};

/// A mailbox that any thread writes to and the pipeline empties. A newer command replaces an older one of its kind that
/// the pipeline has not taken yet.
#[derive(Clone, Debug)]
pub struct Commands {
    digest_limits: Arc<Mutex<Option<DigestLimits>>>,
    delivery: Arc<Mutex<Option<Box<dyn Delivery>>>>,
    wake: WakeEvent,
}

impl Commands {
    /// An empty mailbox. Each command wakes the thread that waits for `wake`.
    #[must_use]
    pub fn new(wake: WakeEvent) -> Self {
        Self { digest_limits: Arc::default(), delivery: Arc::default(), wake }
    }

    /// Sets the limits of every digest from now on.
    pub(crate) fn set_digest_limits(&self, limits: DigestLimits) {
        *self.digest_limits.lock().unwrap_or_else(PoisonError::into_inner) = Some(limits);
        self.wake.wake();
    }

    /// Has `agent-stop` report the counters of the outputs.
    pub(crate) fn set_delivery(&self, delivery: Box<dyn Delivery>) {
        *self.delivery.lock().unwrap_or_else(PoisonError::into_inner) = Some(delivery);
    }

    /// What delivers the stream, if that was set.
    pub(crate) fn take_delivery(&self) -> Option<Box<dyn Delivery>> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The limits that were set since the last call, if any.
    pub(crate) fn take_digest_limits(&self) -> Option<DigestLimits> {
        self.digest_limits.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
