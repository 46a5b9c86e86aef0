//! The process of one record.

use std::rc::Rc;

use collector_common::TaskState;

use super::process::{TrackedProcess, key_of};
use crate::{event::Timestamp, fact::Reason, process::ProcessKey};

/// What a record says of its process, and what the table knows of it at that moment.
#[derive(Debug)]
pub(crate) struct Subject<'r> {
    /// The process.
    pub key: ProcessKey,
    /// What the record says.
    pub state: &'r TaskState,
    /// What the table knows, or why it knows nothing.
    pub process: Result<Rc<TrackedProcess>, Reason>,
    /// Its start in wall time.
    pub start: Timestamp,
}

impl<'r> Subject<'r> {
    /// A process that the table knows.
    pub(crate) fn known(state: &'r TaskState, process: Rc<TrackedProcess>) -> Self {
        Self { key: key_of(state), state, start: process.start, process: Ok(process) }
    }
}
