//! Any event: written and read it is the same one, and on one line.

#![no_main]

use collector::event::Event;
use collector_fuzz::{any_event, check_event};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A line of a stream, for the fuzzer can make one out of another …
    if let Ok(event) = serde_json::from_slice::<Event>(bytes) {
        check_event(&event);
    }
    // … and an event that these bytes choose.
    check_event(&any_event(bytes));
});
