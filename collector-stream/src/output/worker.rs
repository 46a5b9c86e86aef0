//! The thread of one output: takes batches from its buffer, and writes their lines in its format.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use collector_event::{Host, Shared, Timestamp};

use super::{
    buffer::{Buffer, Next},
    encoder::Encoder,
    line_writer::{LineWriter, Stop},
    selection::Selection,
};

/// How an output ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All that it was offered was delivered or dropped.
    Complete,
    /// The time was up, and events are pending: why they could not be delivered.
    Incomplete(String),
    /// Its destination closed.
    Closed,
    /// Its destination failed: why.
    Failed(String),
}

/// All that the thread owns.
pub(super) struct Worker {
    pub(super) name: Arc<str>,
    pub(super) buffer: Arc<Buffer>,
    pub(super) encoder: Encoder,
    pub(super) selection: Selection,
    pub(super) lines: LineWriter,
}

impl Worker {
    /// Runs until the stream ends and everything is delivered, or the output ends before.
    pub(super) fn run(mut self) -> Ending {
        let mut host = Shared::<Host>::default();
        loop {
            let result = match self.buffer.next() {
                Next::End => return Ending::Complete,
                Next::Reopen => {
                    self.lines.reopen();
                    Ok(())
                }
                Next::Batch(batch) => {
                    host = batch.host().clone();
                    self.lines.write(&self.encoder.encode(&batch, &self.selection))
                }
                Next::Lost(events) => {
                    self.lines.write(&self.encoder.encode_loss(&self.name, events, &host, now()))
                }
            };
            match result {
                Ok(()) => {}
                Err(Stop::TimeIsUp(why)) => {
                    // Nothing will make room any more.
                    self.buffer.block_until(Instant::now());
                    return Ending::Incomplete(why);
                }
                Err(Stop::Failed(error)) => {
                    self.buffer.close();
                    let closed = error.kind() == std::io::ErrorKind::BrokenPipe;
                    return if closed { Ending::Closed } else { Ending::Failed(error.to_string()) };
                }
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_nanos().try_into().unwrap_or(i64::MAX))
}
