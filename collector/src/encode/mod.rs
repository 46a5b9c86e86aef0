//! Events → bytes: pure functions of an event.

mod compact;
mod json;

use crate::event::Event;

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object on a line: for programs. The contract is SCHEMA.md.
    Json,
    /// One coloured line: for people. It leaves out most of the fields.
    Compact,
}

/// Appends `event` and a newline to `line`. Colours are for the compact format alone.
pub fn encode(event: &Event, format: Format, colour: bool, line: &mut Vec<u8>) {
    match format {
        Format::Json => json::encode(event, line),
        Format::Compact => compact::encode(event, colour, line),
    }
    line.push(b'\n');
}
