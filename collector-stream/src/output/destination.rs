//! The word that names where an output leads.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where an output leads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination {
    /// Standard output: `stdout` or `-`.
    Stdout,
    /// A file, appended to: `file:PATH`.
    File(PathBuf),
}

/// A word that names no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not an output; an output is stdout or file:PATH")]
pub struct DestinationError {
    word: String,
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(word: &str) -> Result<Self, DestinationError> {
        match word.split_once(':') {
            None if matches!(word, "stdout" | "-") => Ok(Self::Stdout),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(DestinationError { word: word.to_owned() }),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

crate::word::serde_as_word!(Destination);

#[cfg(test)]
mod tests {
    use super::Destination;

    #[track_caller]
    fn check(word: &str, expected: Option<&Destination>) {
        assert_eq!(word.parse().ok().as_ref(), expected);
    }

    #[test]
    fn a_destination_is_named_by_its_kind() {
        check("stdout", Some(&Destination::Stdout));
        check("-", Some(&Destination::Stdout));
        check("file:/var/log/a:b.jsonl", Some(&Destination::File("/var/log/a:b.jsonl".into())));
    }

    #[test]
    fn other_words_are_refused() {
        check("/var/log/collector.jsonl", None);
        check("file:", None);
        check("kafka://x", None);
    }
}
