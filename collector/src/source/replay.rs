//! Records from a recording.

use std::{io, os::fd::BorrowedFd};

use collector_common::{Counters, Kind, Loss};

use super::{
    outcome::{Damage, DamageCause, Outcome},
    record_source::RecordSource,
    recording::{
        Progress, Recording,
        format::{Entry, MissingRecords},
    },
};

/// Passes on the records of a recording from its beginning to its end.
#[derive(Debug)]
pub struct Replay {
    recording: Recording,
    records: u64,
    /// Records read and missing, by [`Kind::index`].
    counted: [u64; Kind::COUNT],
    /// The last counters of the kernel side in the recording.
    recorded: Counters,
    /// Whether the last entry was the kernel side's counters, as at the end of a whole recording.
    counters_last: bool,
    missing: MissingRecords,
    /// Where the first records are missing, and how many records come before.
    first_missing: Option<(u64, u64)>,
    /// `None` before the end.
    outcome: Option<Outcome>,
}

impl Replay {
    /// Replays this recording.
    #[must_use]
    pub fn new(recording: Recording) -> Self {
        Self {
            recording,
            records: 0,
            counted: [0; Kind::COUNT],
            recorded: Counters::default(),
            counters_last: false,
            missing: MissingRecords::default(),
            first_missing: None,
            outcome: None,
        }
    }

    /// How much of the recording has been read.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.recording.progress().clone()
    }

    /// Counts a record: the recorded counters come last, and a recording that was cut has none.
    fn count(&mut self, record: &[u8]) {
        self.records += 1;
        self.counters_last = false;
        let kind = Kind::of_record(record);
        if let Some(counted) = kind.and_then(|kind| self.counted.get_mut(kind.index())) {
            *counted += 1;
        }
    }

    /// Counts records that were not recorded at `offset`.
    fn count_missing(&mut self, offset: u64, missing: &MissingRecords) {
        self.first_missing.get_or_insert((offset, self.records));
        self.missing.add(missing);
        self.counters_last = false;
        self.counted.iter_mut().zip(missing.by_kind).for_each(|(counted, more)| *counted += more);
    }

    fn damaged(&self, (offset, records): (u64, u64), cause: DamageCause) -> Outcome {
        Outcome::Damaged(Damage { path: self.recording.path().to_owned(), offset, records, cause })
    }

    /// The outcome at the end of the file, which is at `offset`.
    fn end(&self, offset: u64) -> Outcome {
        match self.first_missing {
            Some(place) => self.damaged(place, DamageCause::Missing { count: self.missing.sum() }),
            None if !self.counters_last => self.damaged((offset, self.records), DamageCause::NoCounters),
            None => Outcome::Finished,
        }
    }
}

impl RecordSource for Replay {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        while self.outcome.is_none() {
            let offset = self.recording.offset();
            match self.recording.next_entry() {
                Ok(Some(Entry::Record(record))) => {
                    self.count(record.bytes());
                    take(record.bytes());
                    return true;
                }
                Ok(Some(Entry::Counters(counters))) => {
                    (self.recorded, self.counters_last) = (counters, true);
                }
                Ok(Some(Entry::Missing(missing))) => self.count_missing(offset, &missing),
                Ok(None) => self.outcome = Some(self.end(offset)),
                Err(cause) => self.outcome = Some(self.damaged((offset, self.records), cause)),
            }
        }
        false
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn is_finished(&self) -> bool {
        self.outcome.is_some()
    }

    fn scan(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn stop(&mut self) {
        self.outcome.get_or_insert(Outcome::Finished);
    }

    /// The recorded counters, as far as they have been read. Missing records count as lost in the ring, since a recording
    /// takes the place of the ring.
    fn counters(&mut self) -> io::Result<Counters> {
        let mut counters = self.recorded;
        counters.seen.iter_mut().zip(self.counted).for_each(|(seen, counted)| *seen = counted.max(*seen));
        for (lost, missing) in counters.lost.iter_mut().zip(self.missing.by_kind) {
            if let Some(ring_full) = lost.get_mut(Loss::RingFull.index()) {
                *ring_full += missing;
            }
        }
        Ok(counters)
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone().unwrap_or(Outcome::Finished)
    }
}
