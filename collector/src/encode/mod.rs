//! Events → bytes: pure functions of an event.

mod compact;
mod json;

pub use self::compact::{CompactFormat, CompactOptions};
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

/// How an event becomes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The format.
    pub format: Format,
    /// With colours, which the compact format alone has.
    pub colour: bool,
}

/// Appends `event` and a newline to `lines`.
pub fn encode(event: &Event, encoding: Encoding, lines: &mut Vec<u8>) {
    match encoding.format {
        Format::Json => json::encode(event, lines),
        Format::Compact => compact::encode(event, encoding.colour, lines),
    }
    lines.push(b'\n');
}
