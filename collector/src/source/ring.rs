//! The kernel's ring, live.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::maps::{MapData, RingBuf};
use collector_common::Counters;

use super::record_source::RecordSource;
use crate::load::{KernelCounters, Loaded, Programs};

/// The ring of attached programs.
pub struct Ring {
    records: RingBuf<MapData>,
    counters: KernelCounters,
    /// `None` once stopped: dropping the programs detaches them.
    programs: Option<Programs>,
}

impl Ring {
    /// Takes the ring of programs that are attached.
    #[must_use]
    pub fn new(loaded: Loaded) -> Self {
        let (programs, records, counters) = loaded.into_parts();
        Self { records, counters, programs: Some(programs) }
    }
}

impl RecordSource for Ring {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        // The record is lent from the ring itself; dropping the item frees its space.
        let item = self.records.next();
        if let Some(item) = &item {
            take(item);
        }
        item.is_some()
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.records.as_fd())
    }

    fn is_finished(&self) -> bool {
        self.programs.is_none()
    }

    fn scan(&mut self) -> io::Result<()> {
        match &mut self.programs {
            Some(programs) => programs.scan_tasks().map_err(io::Error::other),
            None => Ok(()),
        }
    }

    fn stop(&mut self) {
        self.programs = None;
    }

    fn counters(&mut self) -> io::Result<Counters> {
        self.counters.read()
    }
}
