//! Code that the fuzzers share: the checks of an event.

#[path = "../../tests/tests/offline/common/any.rs"]
mod any;
pub mod recording;

use collector::{
    event::Event,
    stream::format::{Encoding, Format, encode},
};

/// Makes an event from these bytes.
///
/// # Panics
///
/// When the schema has a type that cannot be made yet.
#[must_use]
pub fn any_event(bytes: &[u8]) -> Event {
    any::any(bytes).expect("each type of the schema can be made")
}

/// Fails if an event changes when it is written and read, if it takes more than one line, or if a line for
/// people has control characters.
///
/// # Panics
///
/// In these cases, so that the fuzzer keeps the input.
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
