//! Any event: it is the same after it is written and read, and takes one line.

#![no_main]

use collector::event::Event;
use collector_fuzz::{any_event, check_event};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The bytes as a line of a stream, since the fuzzer can change a valid line …
    if let Ok(event) = serde_json::from_slice::<Event>(bytes) {
        check_event(&event);
    }
    // … and an event made from the bytes.
    check_event(&any_event(bytes));
});
