//! Events as bytes: JSON Lines for programs, lines for people.

mod compact;
pub mod json;
mod printable;

use std::{fmt, str::FromStr};

use collector_event::Event;

pub use jiff::tz::TimeZone;

pub use self::{
    compact::{CompactFormat, CompactOptions, Width},
    printable::{printable, printable_lines},
};

/// How an output writes its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object on each line, for programs. The contract is docs/SCHEMA.md.
    Json,
    /// One coloured line for each event, for people. It leaves out most fields.
    Compact,
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl Format {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Json, Self::Compact];

    /// Its word in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Compact => "compact",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        let known = Self::ALL.into_iter().find(|format| format.name() == word);
        known.ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Format::ALL.map(Format::name).join(", ");
        write!(f, "{:?} is not a format; formats are {names}", self.0)
    }
}

impl std::error::Error for UnknownFormat {}

crate::word::serde_as_word!(Format);

/// How an event becomes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The format.
    pub format: Format,
    /// Whether the compact format has colours.
    pub colour: bool,
}

/// Appends `event` and a newline to `lines`: a pure function. On a terminal, [`CompactFormat`] does better.
pub fn encode(event: &Event, encoding: Encoding, lines: &mut Vec<u8>) {
    match encoding.format {
        Format::Json => json::encode(event, lines),
        Format::Compact => compact::encode(event, encoding.colour, lines),
    }
    lines.push(b'\n');
}
