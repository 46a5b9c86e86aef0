//! Where records come from: the kernel's ring, or a recording of it.

pub mod recording;
pub mod replay;
pub mod ring;

use std::{io, os::fd::BorrowedFd};

use collector_common::Counters;
use zerocopy::IntoBytes as _;

/// A source of records, in the order of the kernel.
pub trait RecordSource: Send {
    /// Hands the next record to `take`; `false` where there is none at this moment.
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool;

    /// What becomes readable when there are records; `None` for a source that never has to be waited for.
    fn readable(&self) -> Option<BorrowedFd<'_>>;

    /// Whether there will never be another record.
    fn is_finished(&self) -> bool;

    /// Asks for a record of each process that runs already.
    fn scan(&mut self) -> io::Result<()>;

    /// Lets nothing new begin. What was begun may still come for a moment.
    fn stop(&mut self);

    /// What the kernel side has seen and lost so far.
    fn counters(&mut self) -> io::Result<Counters>;
}

/// A copy of a record, at an address that is a multiple of 8, as it has in the ring.
#[derive(Clone, Debug)]
pub struct OwnedRecord {
    words: Vec<u64>,
    len: usize,
}

impl OwnedRecord {
    /// Copies a record.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes().iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self { words, len: bytes.len() }
    }

    /// The record.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.words.as_bytes().get(..self.len).unwrap_or_default()
    }
}
