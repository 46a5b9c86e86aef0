//! Records out of a recording.

use std::{io, os::fd::BorrowedFd};

use collector_common::{Counters, Kind};

use super::{
    RecordSource,
    recording::{Entry, Recording},
};

/// Hands out a recording from its beginning to its end.
pub struct Replay {
    recording: Recording,
    counters: Counters,
    finished: bool,
}

impl Replay {
    /// Of this recording.
    #[must_use]
    pub fn new(recording: Recording) -> Self {
        Self { recording, counters: Counters::default(), finished: false }
    }
}

impl Replay {
    /// Counts a record as seen: the recording's own counters stand at its end, and one that was cut has none.
    fn count(&mut self, record: &[u8]) {
        let kind = Kind::of_record(record);
        if let Some(seen) = kind.and_then(|kind| self.counters.seen.get_mut(kind.index())) {
            *seen += 1;
        }
    }
}

impl RecordSource for Replay {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        while !self.finished {
            match self.recording.entry() {
                Ok(Some(Entry::Record(record))) => {
                    self.count(record.bytes());
                    take(record.bytes());
                    return true;
                }
                Ok(Some(Entry::Counters(counters))) => self.counters = counters,
                Ok(None) => self.finished = true,
                Err(error) => {
                    tracing::error!("the recording is damaged and ends here: {error}");
                    self.finished = true;
                }
            }
        }
        false
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn is_finished(&self) -> bool {
        self.finished
    }

    fn scan(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn stop(&mut self) {
        self.finished = true;
    }

    fn counters(&mut self) -> io::Result<Counters> {
        Ok(self.counters)
    }
}
