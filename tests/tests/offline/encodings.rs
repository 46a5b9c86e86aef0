//! Any event that the schema allows, whatever made it: as JSON it is one line that is read back as the same event, and for
//! people it is one line that no terminal takes for a command.

use collector::{
    event::Event,
    stream::format::{Encoding, Format, encode},
};
use proptest::{collection::vec, prelude::*};

use crate::common::any;

/// The line of an event, without its end.
fn line(event: &Event, format: Format, colour: bool) -> String {
    let mut line = Vec::new();
    encode(event, Encoding { format, colour }, &mut line);
    assert_eq!(line.pop(), Some(b'\n'));
    String::from_utf8(line).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_is_read_back_as_it_was_written(bytes in vec(any::<u8>(), 0..3000)) {
        let event: Event = any::any(&bytes).unwrap();
        let json = line(&event, Format::Json, false);
        prop_assert!(!json.contains('\n'));
        prop_assert_eq!(&json, &serde_json::to_string(&event).unwrap());
        prop_assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }

    #[test]
    fn no_field_of_an_event_is_null(bytes in vec(any::<u8>(), 0..3000)) {
        let event: Event = any::any(&bytes).unwrap();
        let json = serde_json::to_value(&event).unwrap();
        prop_assert!(!has_null(&json), "{}", json);
    }

    #[test]
    fn any_event_is_one_line_for_people(bytes in vec(any::<u8>(), 0..3000)) {
        let event: Event = any::any(&bytes).unwrap();
        let plain = line(&event, Format::Compact, false);
        prop_assert!(!plain.contains(char::is_control), "{:?}", plain);
        let coloured = line(&event, Format::Compact, true);
        prop_assert_eq!(without_colours(&coloured), plain, "colours are all that is added");
    }
}

fn has_null(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Array(members) => members.iter().any(has_null),
        serde_json::Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

/// Takes out what begins with ESC `[` and ends in `m`.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').unwrap().1)
}
