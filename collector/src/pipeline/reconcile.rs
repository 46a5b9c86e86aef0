//! Corrects the table by /proc after records were lost that it needed: a thread of its own takes the snapshot, at most once a
//! second.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    clock::boottime_ns,
    enrich::Enricher,
    linux::{ORDINARY, set_nice},
    process::KernelTimeNs,
    track::ProcSnapshot,
};

/// The time from one snapshot to the next, while records go on being lost.
const INTERVAL: Duration = Duration::from_secs(1);

/// Whether a snapshot is needed, and the one that is being taken.
#[derive(Debug, Default)]
pub(super) struct Reconciler {
    /// Whether records were lost since the last snapshot began.
    lost: bool,
    began: Option<Instant>,
    snapshot: Option<JoinHandle<Option<ProcSnapshot>>>,
}

impl Reconciler {
    /// Notes whether records were lost.
    pub(super) fn note(&mut self, lost: bool) {
        self.lost |= lost;
    }

    /// Begins a snapshot, if one is needed and it is time.
    pub(super) fn begin(&mut self, enricher: &Enricher) {
        let is_time = self.began.is_none_or(|began| began.elapsed() >= INTERVAL);
        if !self.lost || !is_time || self.snapshot.is_some() {
            return;
        }
        let proc = enricher.proc();
        let take = move || {
            // The thread inherits the nice value of the one that reads the ring, and is not as urgent.
            let _ = set_nice(ORDINARY);
            ProcSnapshot::take(&proc, KernelTimeNs(boottime_ns()))
        };
        match thread::Builder::new().name("proc-snapshot".to_owned()).spawn(take) {
            Ok(thread) => {
                (self.snapshot, self.began) = (Some(thread), Some(Instant::now()));
                self.lost = false;
            }
            Err(error) => tracing::warn!("cannot list /proc after a loss of records: {error}"),
        }
    }

    /// Whether a snapshot is complete. Every exit of a process that it does not have is in the ring by now.
    pub(super) fn is_complete(&self) -> bool {
        self.snapshot.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Corrects the table by the snapshot that is complete.
    pub(super) fn apply(&mut self, enricher: &mut Enricher) {
        let snapshot = self.snapshot.take().and_then(|thread| thread.join().ok()).flatten();
        if let Some(snapshot) = snapshot {
            enricher.reconcile(&snapshot);
        } else {
            tracing::warn!("/proc could not be listed after a loss of records");
        }
    }
}
