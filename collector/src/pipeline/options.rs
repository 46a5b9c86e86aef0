//! Options of a pipeline.

use std::{collections::BTreeSet, time::Duration};

use crate::event::Action;

/// Which events leave the pipeline, and how many may wait in it.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// The actions that become events.
    pub actions: BTreeSet<Action>,
    /// Most events that wait for their digests or for the consumer.
    pub queue: usize,
    /// Size of the ring.
    pub ring_bytes: usize,
    /// Shutdown grace for digests whose events went out without them.
    pub digest_grace: Duration,
    /// Whether the records are of now. A replay writes the same each time, so it has no `capture.lag_ns`.
    pub live: bool,
}
