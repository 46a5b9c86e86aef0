//! What a pipeline is told.

use std::{collections::BTreeSet, time::Duration};

use crate::event::Action;

/// What is given out, and how much may wait.
#[derive(Clone, Debug)]
pub struct Options {
    /// The actions that are wanted.
    pub actions: BTreeSet<Action>,
    /// Events that may wait for their digests or for whoever takes them.
    pub queue: usize,
    /// Size of the ring.
    pub ring_bytes: usize,
    /// Shutdown grace for digests whose events went out without them.
    pub digest_grace: Duration,
    /// Whether this happens now. A replay is the same each time: it says nothing of how late it was written.
    pub live: bool,
}
