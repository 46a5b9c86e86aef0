//! What the fuzzers share: the checks of an event, whatever made it.

#[path = "../../tests/tests/offline/common/any.rs"]
mod any;
pub mod tape;

use collector::{
    event::Event,
    stream::format::{Encoding, Format, encode},
};

/// An event that these bytes choose.
///
/// # Panics
///
/// Where the schema has a type that is not made yet.
#[must_use]
pub fn any_event(bytes: &[u8]) -> Event {
    any::any(bytes).expect("each type of the schema can be made")
}

/// Fails where an event is another one after it was written and read, or where it is more than one line, or where a line
/// for people could move their cursor.
///
/// # Panics
///
/// There, so that the fuzzer keeps the input.
pub fn check_event(event: &Event) {
    let mut line = Vec::new();
    encode(event, Encoding { format: Format::Json, colour: false }, &mut line);
    let json = line.strip_suffix(b"\n").expect("a line ends in a newline");
    assert!(!json.contains(&b'\n'), "an event is one line");
    assert_eq!(&serde_json::from_slice::<Event>(json).expect("what was written can be read"), event);
    let mut line = Vec::new();
    encode(event, Encoding { format: Format::Compact, colour: false }, &mut line);
    let compact = str::from_utf8(line.strip_suffix(b"\n").expect("a line ends in a newline"))
        .expect("a line for people is text");
    assert!(!compact.contains(char::is_control), "no control character: {compact:?}");
}
