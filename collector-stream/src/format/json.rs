//! The native format: JSON Lines, as docs/SCHEMA.md describes it.

mod members;
mod writer;

use collector_event::Event;
use serde::Serialize as _;

use self::writer::Writer;

/// Appends the event as one JSON object, without a newline.
pub fn encode(event: &Event, line: &mut Vec<u8>) {
    let begin = line.len();
    // Writing to memory does not fail, and every map of an event has strings as keys. If it failed all the same, half a line
    // would break the reader, so nothing is written.
    if event.serialize(Writer::append(line)).is_err() {
        line.truncate(begin);
    }
}
