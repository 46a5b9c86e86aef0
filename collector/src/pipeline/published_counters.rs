//! The counters of a running pipeline, for other threads to read.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::Counters;

/// The last counters that the pipeline published. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Accounts(Arc<Mutex<Counters>>);

impl Accounts {
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
