//! One record of the stream, as a consumer reads it: JSON and nothing else.

use serde_json::Value;

use crate::truth::clock::Wall;

/// A line of the stream.
#[derive(Clone, Debug)]
pub struct Event {
    /// The line as it was read, without its line feed.
    pub text: String,
    /// What the line says; `Null` where it is not JSON, which [`crate::stream_rules`] reports.
    pub value: Value,
    /// When the test read it.
    pub read_at: Wall,
}

impl Event {
    /// A line that has just been read.
    pub fn from_line(text: String) -> Self {
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { text, value, read_at: Wall::now() }
    }

    /// The value at a dotted path: `process.parent.pid`.
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.value, |value, key| value.get(key))
    }

    /// The text at a dotted path.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The unsigned number at a dotted path.
    pub fn number_at(&self, path: &str) -> Option<u64> {
        self.at(path)?.as_u64()
    }

    /// `event.action`, or nothing.
    pub fn action(&self) -> &str {
        self.text_at("event.action").unwrap_or_default()
    }

    /// `process.pid`
    pub fn pid(&self) -> Option<u64> {
        self.number_at("process.pid")
    }

    /// `@timestamp`
    pub fn timestamp(&self) -> Option<Wall> {
        self.text_at("@timestamp").and_then(Wall::parse)
    }

    /// Why a field is absent: `capture.missing["process.hash"]`.
    pub fn missing(&self, field: &str) -> Option<&str> {
        self.at("capture.missing")?.get(field)?.as_str()
    }

    /// Where a field came from: `capture.origin["process.args"]`.
    pub fn origin(&self, field: &str) -> Option<&str> {
        self.at("capture.origin")?.get(field)?.as_str()
    }

    /// The base64 of a value that is not UTF-8: `capture.bytes["process.args[4]"]`.
    pub fn bytes(&self, path: &str) -> Option<&str> {
        self.at("capture.bytes")?.get(path)?.as_str()
    }
}
