//! The permissions of a file.

use std::{fmt, str::FromStr};

/// Permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(u32);

impl Mode {
    /// The bits, as chmod(2) takes them.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for Mode {
    /// For the owner alone: the stream has the environment of every process, which /proc shows to nobody else either.
    fn default() -> Self {
        Self(0o600)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A text that is not a file mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a mode is octal, and the owner may write: 0640")]
pub struct ModeError;

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        match u32::from_str_radix(text, 8) {
            Ok(bits) if bits <= 0o777 && bits & 0o200 != 0 => Ok(Self(bits)),
            Ok(_) | Err(_) => Err(ModeError),
        }
    }
}

crate::word::serde_as_word!(Mode);
