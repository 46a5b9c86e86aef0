//! Lists of strings without NUL, as the kernel keeps arguments and environments.

use std::{borrow::Cow, fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::procfs::split_nul;

/// Strings in order, in one piece of memory: an allocation for each of some ten arguments costs more than all else that is
/// done with them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Strings {
    /// Each ended by a NUL, so that no list is written in two ways.
    text: Arc<str>,
}

impl Strings {
    /// From strings that each end in NUL. A last one without it counts too.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let is_ended = text.is_empty() || text.ends_with('\0');
        Self { text: if is_ended { text.into() } else { [text, "\0"].concat().into() } }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        // Each end is a NUL, which no other character has within it.
        split_nul(self.text.as_bytes()).scan(0, |begin, string| {
            let end = *begin + string.len();
            let string = self.text.get(*begin..end);
            *begin = end + 1;
            string
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        split_nul(self.text.as_bytes()).count()
    }

    /// How many bytes they are, with a NUL for each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
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
                return Err(D::Error::custom("a NUL in an argument or a variable"));
            }
            text.extend([&string, "\0"]);
        }
        Ok(Self::new(&text))
    }
}

impl JsonSchema for Strings {
    fn inline_schema() -> bool {
        Vec::<String>::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<String>::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Vec::<String>::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<String>::json_schema(generator)
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
