//! `schema`: which contract a line follows.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::SCHEMA;

/// `collector/MAJOR.MINOR`. A reader accepts every minor version of major version 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct SchemaVersion(Cow<'static, str>);

impl SchemaVersion {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SchemaVersion {
    fn default() -> Self {
        Self(SCHEMA.into())
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        if text == SCHEMA {
            return Ok(Self::default());
        }
        if is_readable(&text) {
            return Ok(Self(text.into_owned().into()));
        }
        Err(D::Error::custom(format_args!("schema {text:?} is not collector/1.x, which this version reads")))
    }
}

fn is_readable(text: &str) -> bool {
    let minor = text.strip_prefix("collector/1.");
    // `parse` takes a sign too.
    minor.is_some_and(|minor| !minor.starts_with('+') && minor.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::SchemaVersion;

    #[track_caller]
    fn check(text: &str, accepted: bool) {
        let json = serde_json::to_string(text).unwrap();
        let read = serde_json::from_str::<SchemaVersion>(&json);
        assert_eq!(read.is_ok(), accepted, "{text}");
        if let Ok(read) = read {
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
    }

    #[test]
    fn a_later_minor_version_is_read_and_another_schema_is_refused() {
        check("collector/1.0", true);
        check("collector/1.17", true);
        check("collector/2.0", false);
        check("collector/1.", false);
        check("collector/1.+1", false);
        check("", false);
        check("vector/9", false);
    }
}
