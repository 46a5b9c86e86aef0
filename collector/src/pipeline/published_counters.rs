//! The counters of a running pipeline, for other threads to read.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::Counters;

/// The counters that the pipeline published last. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct PublishedCounters(Arc<Mutex<Counters>>);

impl PublishedCounters {
    /// Replaces them.
    pub fn publish(&self, counters: Counters) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }

    /// A copy of them.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
