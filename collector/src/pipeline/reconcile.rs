//! When the table is held against /proc: after records were lost that it is kept by, on a thread of its own, and at most
//! once a second.

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

/// While records go on being lost, the time from one census to the next.
const EVERY: Duration = Duration::from_secs(1);

/// What is to be learnt anew, and the census that is under way.
#[derive(Debug, Default)]
pub(super) struct Reconciler {
    /// Whether records were lost since the last census began.
    lost: bool,
    began: Option<Instant>,
    under_way: Option<JoinHandle<Option<ProcSnapshot>>>,
}

impl Reconciler {
    /// Notes whether records were lost.
    pub(super) fn note(&mut self, lost: bool) {
        self.lost |= lost;
    }

    /// Begins a census, where one is needed and it is time.
    pub(super) fn begin(&mut self, enricher: &Enricher) {
        let is_time = self.began.is_none_or(|began| began.elapsed() >= EVERY);
        if !self.lost || !is_time || self.under_way.is_some() {
            return;
        }
        let proc = enricher.proc();
        let census = move || {
            // As digests do: it would go before others like the thread that starts it, and has no such hurry.
            let _ = set_nice(ORDINARY);
            ProcSnapshot::take(&proc, KernelTimeNs(boottime_ns()))
        };
        match thread::Builder::new().name("census".to_owned()).spawn(census) {
            Ok(thread) => {
                (self.under_way, self.began) = (Some(thread), Some(Instant::now()));
                self.lost = false;
            }
            Err(error) => tracing::warn!("cannot look for what lost records would have told: {error}"),
        }
    }

    /// Whether a census is over. Every exit of a process that it did not find is in the ring by now.
    pub(super) fn is_over(&self) -> bool {
        self.under_way.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Takes the census that is over to the table.
    pub(super) fn finish(&mut self, enricher: &mut Enricher) {
        let census = self.under_way.take().and_then(|thread| thread.join().ok()).flatten();
        if let Some(census) = census {
            enricher.reconcile(&census);
        } else {
            tracing::warn!("the processes in /proc could not be listed after a loss");
        }
    }
}
