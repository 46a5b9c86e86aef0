//! How an output is configured: an `[[output]]` table, or one word: `file:/var/log/x.jsonl,format=json,buffer=8MiB`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    destination::{Destination, DestinationError},
    mode::Mode,
    selection::Selection,
};
use crate::{
    format::{Format, UnknownFormat},
    units::ByteSize,
};

/// Smallest buffer. A batch and the line that fills it must fit.
pub const BUFFER_MIN: u64 = 1 << 20;
/// Buffer of an output that does not say how large.
const BUFFER_DEFAULT: u64 = 32 << 20;
/// Largest buffer.
pub const BUFFER_MAX: u64 = 64 << 30;

/// One output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputConfig {
    /// Where it leads.
    pub to: Destination,
    /// Absent: compact on a terminal, json anywhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The actions that it takes; absent or empty: all that the agent writes.
    #[serde(default, skip_serializing_if = "Selection::is_everything")]
    pub select: Selection,
    /// Bytes that may wait for it.
    #[serde(default = "default_buffer")]
    pub buffer: ByteSize,
    /// What happens when the buffer is full; absent: `block` if it is the only output, `drop_oldest` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_full: Option<WhenFull>,
    /// What happens when the destination closes or fails; absent: `retry` for files, for standard output `end` if it is the
    /// only output and `remove` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_closed: Option<WhenClosed>,
    /// Permissions of a file, in octal; absent: 0600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

fn default_buffer() -> ByteSize {
    ByteSize(BUFFER_DEFAULT)
}

/// What happens to new events when the buffer of an output is full. An output that drops says so in its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhenFull {
    /// The oldest events in the buffer make room.
    DropOldest,
    /// New events are dropped.
    DropNewest,
    /// The stream waits for this output. The ring is read on; once the agent's own queue is full, it loses events as
    /// `queue_full`. Beside other outputs, which must not wait for this one, it acts as `drop_newest`.
    Block,
}

/// What happens when the destination of an output closes or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhenClosed {
    /// It is opened again, after a pause that doubles up to some seconds.
    Retry,
    /// The run ends, with exit code 1.
    End,
    /// The other outputs go on without it; the run ends with the last output.
    Remove,
}

/// Why an output cannot be configured like that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputConfigError {
    /// The destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The format.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    /// An option that no output has.
    #[error(
        "{option:?} is not an option of an output; options are format, select, buffer, when_full, when_closed and mode"
    )]
    Option {
        /// The word before `=`.
        option: String,
    },
    /// A value that the option cannot have.
    #[error("{option}={value} is not possible; {allowed}")]
    Value {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        allowed: &'static str,
    },
}

impl OutputConfig {
    /// An output to this destination, with the defaults of all options.
    #[must_use]
    pub fn new(to: Destination) -> Self {
        Self {
            to,
            format: None,
            select: Selection::default(),
            buffer: default_buffer(),
            when_full: None,
            when_closed: None,
            mode: None,
        }
    }

    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), OutputConfigError> {
        let refuse =
            |option, value: String, allowed| Err(OutputConfigError::Value { option, value, allowed });
        if !(BUFFER_MIN..=BUFFER_MAX).contains(&self.buffer.0) {
            return refuse("buffer", self.buffer.to_string(), "a buffer has 1MiB to 64GiB");
        }
        if self.to == Destination::Stdout && self.when_closed == Some(WhenClosed::Retry) {
            return refuse(
                "when_closed",
                "retry".to_owned(),
                "stdout cannot be opened again: use end or remove",
            );
        }
        if self.to == Destination::Stdout && self.mode.is_some() {
            return refuse("mode", "…".to_owned(), "only a file has a mode");
        }
        Ok(())
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), OutputConfigError> {
        let bad = |option, allowed| OutputConfigError::Value { option, value: value.to_owned(), allowed };
        match option {
            "format" => self.format = Some(value.parse()?),
            "select" => {
                self.select =
                    value.parse().map_err(|()| bad("select", "it lists actions: exec+exit+connect"))?;
            }
            "buffer" => self.buffer = value.parse().map_err(|_| bad("buffer", "it is a size: 8MiB"))?,
            "when_full" => {
                let known = match value {
                    "drop_oldest" => Some(WhenFull::DropOldest),
                    "drop_newest" => Some(WhenFull::DropNewest),
                    "block" => Some(WhenFull::Block),
                    _ => None,
                };
                let known =
                    known.ok_or_else(|| bad("when_full", "it is drop_oldest, drop_newest or block"))?;
                self.when_full = Some(known);
            }
            "when_closed" => {
                let known = match value {
                    "retry" => Some(WhenClosed::Retry),
                    "end" => Some(WhenClosed::End),
                    "remove" => Some(WhenClosed::Remove),
                    _ => None,
                };
                let known = known.ok_or_else(|| bad("when_closed", "it is retry, end or remove"))?;
                self.when_closed = Some(known);
            }
            "mode" => {
                let mode =
                    value.parse().map_err(|_| bad("mode", "it is octal, and the owner may write: 0640"))?;
                self.mode = Some(mode);
            }
            _ => return Err(OutputConfigError::Option { option: option.to_owned() }),
        }
        Ok(())
    }
}

/// `DESTINATION[,OPTION=VALUE]…`. A comma that is not followed by `word=` belongs to the path.
impl FromStr for OutputConfig {
    type Err = OutputConfigError;

    fn from_str(text: &str) -> Result<Self, OutputConfigError> {
        let mut options = Vec::new();
        let mut destination = text;
        while let Some((rest, option, value)) = last_option(destination) {
            options.push((option, value));
            destination = rest;
        }
        let mut output = Self::new(destination.parse()?);
        for (option, value) in options.into_iter().rev() {
            output.set(option, value)?;
        }
        output.check()?;
        Ok(output)
    }
}

/// Splits `REST,OPTION=VALUE`.
fn last_option(text: &str) -> Option<(&str, &str, &str)> {
    let (rest, last) = text.rsplit_once(',')?;
    let (option, value) = last.split_once('=')?;
    let is_word = !option.is_empty() && option.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word.then_some((rest, option, value))
}

#[cfg(test)]
mod tests {
    use collector_event::Action;

    use super::{Destination, OutputConfig, Selection, WhenClosed, WhenFull};

    fn file(path: &str) -> OutputConfig {
        OutputConfig::new(Destination::File(path.into()))
    }

    #[test]
    fn a_word_has_the_options_of_a_table() {
        let text = "file:/x,y.jsonl,format=json,select=exec+exit,buffer=2MiB,when_full=drop_newest,when_closed=end,mode=0640";
        let expected = OutputConfig {
            format: Some(super::Format::Json),
            select: Selection::of([Action::Exec, Action::Exit]),
            buffer: "2MiB".parse().unwrap(),
            when_full: Some(WhenFull::DropNewest),
            when_closed: Some(WhenClosed::End),
            mode: Some("0640".parse().unwrap()),
            ..file("/x,y.jsonl")
        };
        assert_eq!(text.parse(), Ok(expected));
        assert_eq!("file:/a,b".parse(), Ok(file("/a,b")));
        assert_eq!("-".parse(), Ok(OutputConfig::new(Destination::Stdout)));
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let error = text.parse::<OutputConfig>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_an_output_cannot_have_is_refused_with_what_it_can() {
        check_refused("stdout,fromat=json", "options are format, select");
        check_refused("stdout,format=xml", "formats are json, compact");
        check_refused("stdout,buffer=many", "it is a size");
        check_refused("stdout,buffer=1", "1MiB to 64GiB");
        check_refused("stdout,when_full=wait", "drop_oldest, drop_newest or block");
        check_refused("stdout,when_closed=retry", "cannot be opened again");
        check_refused("file:/x,select=execs", "exec+exit+connect");
        check_refused("file:/x,mode=0444", "octal");
        check_refused("kafka://x", "output");
    }
}
