//! The kernel's ring, live.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::maps::{MapData, RingBuf};
use collector_common::Counters;

use super::RecordSource;
use crate::load::{LoadError, Loaded};

/// The programs and their ring.
pub struct Ring {
    loaded: Loaded,
    records: RingBuf<MapData>,
    stopped: bool,
}

impl Ring {
    /// Takes the ring of programs that are attached.
    pub fn new(mut loaded: Loaded) -> Result<Self, LoadError> {
        let records = loaded.take_records().ok_or(LoadError::NoMap { map: "RECORDS" })?;
        Ok(Self { loaded, records, stopped: false })
    }

    /// The programs.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }
}

impl RecordSource for Ring {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        // The record is lent from the ring itself; its place is given back when the item is dropped.
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
        self.stopped
    }

    fn scan(&mut self) -> io::Result<()> {
        self.loaded.scan_tasks().map_err(io::Error::other)
    }

    fn stop(&mut self) {
        self.loaded.detach();
        self.stopped = true;
    }

    fn counters(&mut self) -> io::Result<Counters> {
        self.loaded.counters()
    }
}
