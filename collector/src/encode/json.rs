//! JSON Lines.

mod members;
mod writer;

use serde::Serialize as _;

use self::writer::Writer;
use crate::event::Event;

/// Appends the event as one JSON object.
pub(super) fn encode(event: &Event, line: &mut Vec<u8>) {
    let begin = line.len();
    // Writing to memory does not fail and every map has strings as its keys, so there is nothing to refuse. A line cut in
    // the middle would break the reader, so nothing is written rather than half of it.
    if event.serialize(Writer::append(line)).is_err() {
        line.truncate(begin);
    }
}
