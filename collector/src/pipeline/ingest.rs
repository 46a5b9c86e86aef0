//! What becomes of one record: its event into the queue, or a count.

use std::time::Instant;

use collector_common::{Fate, Kind};

use super::{
    options::Options,
    queue::Queue,
    reconcile::Reconciler,
    tally::{Tally, action_of},
};
use crate::{
    decode::decode,
    digest::Digests,
    enrich::{Draft, Enricher},
    event::{Action, LossReason},
    filter::Selection,
};

/// Everything between a record and the queue.
pub(super) struct Intake {
    pub(super) enricher: Enricher,
    pub(super) digests: Digests,
    pub(super) queue: Queue,
    pub(super) tally: Tally,
    pub(super) reconciler: Reconciler,
    pub(super) options: Options,
    pub(super) selection: Selection,
    /// Time of the last record: what is now in a replay.
    pub(super) last_ns: u64,
}

impl Intake {
    /// Nothing taken yet.
    pub(super) fn new(enricher: Enricher, digests: Digests, options: Options, selection: Selection) -> Self {
        Self {
            enricher,
            digests,
            queue: Queue::default(),
            tally: Tally::default(),
            reconciler: Reconciler::default(),
            options,
            selection,
            last_ns: 0,
        }
    }

    /// Whether another record is to be read: a recording can wait for whoever takes its events, the kernel does not.
    pub(super) fn has_room(&self) -> bool {
        self.options.live || self.queue.len() < self.options.queue
    }

    /// Sets the time of a batch of records.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.enricher.set_now(now);
        self.digests.set_now(now);
    }

    /// Takes one record.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        match decode(bytes) {
            Ok(record) => {
                self.last_ns = record.time_ns();
                if self.options.live {
                    self.enricher.follow_clock(self.last_ns);
                }
                let draft = self.enricher.enrich(&record);
                let action = action_of(record.kind());
                if record.fate() == Fate::ByLimit && self.options.actions.contains(&action) {
                    self.tally.limited(action, 1);
                }
                self.push(action, draft);
                // As many go as come, so that malloc gives the next what the last have left.
                self.enricher.expire(self.last_ns);
            }
            Err(error) => {
                tracing::error!("{error}");
                self.tally.lost(Kind::of_record(bytes).map(action_of), LossReason::Decode);
            }
        }
    }

    /// Queues the event of a record, if it became one, is selected, and finds room.
    pub(super) fn push(&mut self, action: Action, draft: Option<Draft>) {
        match draft {
            None => self.tally.filtered(action),
            Some(draft) if !self.selection.wants(&draft.event) => self.tally.filtered(action),
            Some(_) if self.queue.len() >= self.options.queue => {
                self.tally.lost(Some(action), LossReason::QueueFull);
            }
            Some(draft) => self.queue.push(draft, &mut self.digests),
        }
    }
}
