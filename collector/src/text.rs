//! Strings of the kernel, which are bytes: shown as UTF-8, and kept exactly.

use std::sync::Arc;

/// A string of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// U+FFFD replaces what is not UTF-8.
    shown: Arc<str>,
    /// The exact bytes, if `shown` differs from them.
    exact: Option<Arc<[u8]>>,
}

impl Text {
    /// From the kernel's bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(shown) => Self { shown: shown.into(), exact: None },
            Err(_) => {
                Self { shown: String::from_utf8_lossy(bytes).as_ref().into(), exact: Some(bytes.into()) }
            }
        }
    }

    /// As UTF-8.
    #[must_use]
    pub fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// The exact bytes, if [`Text::shown`] differs from them.
    #[must_use]
    pub fn inexact(&self) -> Option<&[u8]> {
        self.exact.as_deref()
    }

    /// The exact bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.exact.as_deref().unwrap_or(self.shown.as_bytes())
    }
}

/// The name in an array of fixed size that a NUL may end, such as `task->comm`.
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Text, until_nul};

    #[test]
    fn bytes_that_are_not_utf8_are_shown_with_replacements_and_kept_exactly() {
        let text = Text::new(b"a\xffb");
        assert_eq!(&**text.shown(), "a\u{fffd}b");
        assert_eq!(text.inexact(), Some(&b"a\xffb"[..]));
        assert_eq!(text.bytes(), b"a\xffb");
    }

    #[test]
    fn a_real_replacement_character_is_exact() {
        assert_eq!(Text::new("a\u{fffd}b".as_bytes()).inexact(), None);
    }

    #[test]
    fn a_name_that_fills_its_array_has_no_nul() {
        assert_eq!(until_nul(b"fifteen_letters"), b"fifteen_letters");
        assert_eq!(until_nul(b"sh\0left over"), b"sh");
    }
}
