//! Lists of strings, packed as the kernel packs arguments and environments.

use std::{borrow::Cow, fmt, ops::Index, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::nul::Nuls;

/// Strings without NUL, in order. Cloning is cheap.
///
/// ```
/// use collector_event::Strings;
///
/// let arguments: Strings = ["ls", "-l"].into_iter().collect();
/// assert_eq!(&arguments[1], "-l");
/// assert_eq!(arguments.get(2), None);
/// for argument in &arguments {
///     println!("{argument}");
/// }
/// ```
///
/// All of them are in one piece of memory: an allocation for each of some ten arguments costs more than all else that is
/// done with them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Strings {
    /// Each string ends with a NUL, so that a list has one form only.
    text: Arc<str>,
}

/// Iterates over the strings of a [`Strings`].
#[derive(Clone, Debug)]
pub struct Iter<'s> {
    text: &'s str,
    /// Where the next string begins.
    begin: usize,
    ends: Nuls<'s>,
}

impl<'s> Iterator for Iter<'s> {
    type Item = &'s str;

    #[inline]
    fn next(&mut self) -> Option<&'s str> {
        let end = self.ends.next()?;
        let string = self.text.get(self.begin..end);
        self.begin = end + 1;
        string
    }
}

impl Strings {
    /// From strings that each end with a NUL; the last one may lack it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let is_ended = text.is_empty() || text.ends_with('\0');
        Self { text: if is_ended { text.into() } else { [text, "\0"].concat().into() } }
    }

    /// The strings, in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { text: &self.text, begin: 0, ends: Nuls::new(self.text.as_bytes()) }
    }

    /// The string at this index. It counts from the first one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        self.iter().nth(index)
    }

    /// How many strings there are. It counts their NULs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.bytes().filter(|&byte| byte == 0).count()
    }

    /// The size in bytes, with a NUL for each string.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// Whether there are no strings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl<'s> IntoIterator for &'s Strings {
    type IntoIter = Iter<'s>;
    type Item = &'s str;

    fn into_iter(self) -> Iter<'s> {
        self.iter()
    }
}

impl Index<usize> for Strings {
    type Output = str;

    #[expect(clippy::expect_used, reason = "indexing panics, as it does for slices")]
    fn index(&self, index: usize) -> &str {
        self.get(index).expect("an index below the number of strings")
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    /// A NUL within a string ends it there.
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut text = String::new();
        for string in strings {
            text.extend([string.as_ref(), "\0"]);
        }
        Self { text: text.into() }
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Strings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::new();
        for string in Vec::<Cow<'de, str>>::deserialize(deserializer)? {
            if string.contains('\0') {
                return Err(D::Error::custom("an argument or a variable holds a NUL"));
            }
            text.extend([&string, "\0"]);
        }
        Ok(Self::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::Strings;

    #[test]
    fn empty_strings_count_and_a_last_one_needs_no_nul() {
        for (text, expected) in
            [("", &[][..]), ("\0", &[""]), ("a\0\0b\0\0", &["a", "", "b", ""]), ("a\0b", &["a", "b"])]
        {
            let strings = Strings::new(text);
            assert_eq!(strings.iter().collect::<Vec<_>>(), expected);
            assert_eq!((strings.len(), strings.is_empty()), (expected.len(), expected.is_empty()));
        }
        assert_eq!(Strings::new("a\0b"), Strings::new("a\0b\0"));
        assert_ne!(Strings::new(""), Strings::new("\0"));
    }

    #[test]
    fn a_string_is_found_by_its_index() {
        let strings: Strings = ["a", "", "b"].into_iter().collect();
        assert_eq!((&strings[0], &strings[1], strings.get(2), strings.get(3)), ("a", "", Some("b"), None));
    }

    #[test]
    fn a_string_with_a_nul_is_refused() {
        assert!(serde_json::from_str::<Strings>(r#"["a\u0000b"]"#).is_err());
    }

    proptest! {
        #[test]
        fn they_are_written_and_read_as_a_list_of_strings(list in vec("[^\0]{0,9}", 0..6)) {
            let text: String = list.iter().flat_map(|string| [string.as_str(), "\0"]).collect();
            let strings = Strings::new(&text);
            let json = serde_json::to_string(&list).unwrap();
            prop_assert_eq!(serde_json::to_string(&strings).unwrap(), &*json);
            prop_assert_eq!(serde_json::from_str::<Strings>(&json).unwrap(), strings);
        }
    }
}
