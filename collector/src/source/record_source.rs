//! [`RecordSource`]: what the pipeline reads records from.

use std::{io, os::fd::BorrowedFd};

use collector_common::Counters;

use super::outcome::Outcome;

/// A source of records, in the order of the kernel. One thread uses it, and none of its methods blocks on an output.
pub trait RecordSource: Send {
    /// Passes the next record to `take` and returns `true`; returns `false` if there is none at this moment.
    ///
    /// The record is only valid during the call. It is aligned to 8 bytes.
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool;

    /// The descriptor that becomes readable when there are records; `None` for a source that never has to be waited for.
    fn readable(&self) -> Option<BorrowedFd<'_>>;

    /// Whether there will never be another record.
    fn is_finished(&self) -> bool;

    /// Requests a record of each process that already runs.
    fn scan(&mut self) -> io::Result<()>;

    /// Ends the source: no new record begins. Records that have begun may still come for a moment.
    fn stop(&mut self);

    /// What the kernel side has seen and lost so far.
    fn counters(&mut self) -> io::Result<Counters>;

    /// How the source ended. [`Outcome::Finished`] unless a source has something else to report, also while it runs.
    fn outcome(&self) -> Outcome {
        Outcome::Finished
    }
}
