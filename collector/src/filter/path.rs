//! A path in a rule, and what it matches: the same as the trie of the kernel side does.

use std::{collections::BTreeMap, fmt, str::FromStr};

use collector_common::RULE_PATH_MAX;

/// The longest path of a rule. With the `/` behind it there is a byte to spare, so that no path that was cut ends as one.
const LONGEST: usize = RULE_PATH_MAX - 2;

/// A file, or a directory and all that is below it: `/opt/app`. Or all that begins so: `/usr/bin/python*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// As it is written, with no `/` at its end.
    text: String,
    /// What a path with a `/` behind it must begin with.
    prefix: Vec<u8>,
}

/// A word that is no path of a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRuleError {
    /// It does not begin at the root.
    #[error("{text:?} does not begin with /; give the whole path, as the events have it")]
    Relative {
        /// The word.
        text: String,
    },
    /// It is longer than the kernel side can compare.
    #[error(
        "a path of {len} bytes is too long for a rule: {LONGEST} at most; name a directory above, or end it with *"
    )]
    Long {
        /// Its length.
        len: usize,
    },
}

impl PathRule {
    /// What a path with a `/` behind it begins with where it matches.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether it matches this absolute path.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        [path, b"/"].concat().starts_with(&self.prefix)
    }
}

impl FromStr for PathRule {
    type Err = PathRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') {
            return Err(PathRuleError::Relative { text: text.to_owned() });
        }
        if text.len() > LONGEST {
            return Err(PathRuleError::Long { len: text.len() });
        }
        if let Some(beginning) = text.strip_suffix('*') {
            return Ok(Self { text: text.to_owned(), prefix: beginning.into() });
        }
        let path = text.trim_end_matches('/');
        let shown = if path.is_empty() { "/" } else { path };
        Ok(Self { text: shown.to_owned(), prefix: format!("{path}/").into_bytes() })
    }
}

impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The rules as entries of a trie, which answers with the longest prefix alone: each has the bits of those that are a
/// beginning of it too.
#[must_use]
pub(crate) fn trie<'r>(rules: impl Iterator<Item = (&'r PathRule, u32)>) -> BTreeMap<Vec<u8>, u32> {
    let mut own: BTreeMap<&[u8], u32> = BTreeMap::new();
    for (rule, bits) in rules {
        *own.entry(&rule.prefix).or_default() |= bits;
    }
    let of_beginnings = |prefix: &[u8]| {
        let beginnings = own.iter().filter(|(other, _)| prefix.starts_with(other));
        beginnings.fold(0, |all, (_, bits)| all | bits)
    };
    own.keys().map(|prefix| (prefix.to_vec(), of_beginnings(prefix))).collect()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, PathRule, PathRuleError, trie};

    #[track_caller]
    fn check(rule: &str, path: &str, expected: bool) {
        assert_eq!(rule.parse::<PathRule>().unwrap().matches(path.as_bytes()), expected, "{rule} {path}");
    }

    #[test]
    fn a_path_matches_itself_and_all_that_is_below_it() {
        for rule in ["/opt/app", "/opt/app/"] {
            check(rule, "/opt/app", true);
            check(rule, "/opt/app/bin/x", true);
            check(rule, "/opt/apple", false);
            check(rule, "/opt", false);
        }
        check("/", "/usr/bin/ls", true);
    }

    #[test]
    fn a_star_matches_all_that_begins_so() {
        check("/usr/bin/python*", "/usr/bin/python3.11", true);
        check("/usr/bin/python*", "/usr/bin/pyth", false);
        check("/*", "/memfd:x", true);
    }

    #[test]
    fn a_path_that_is_not_absolute_or_too_long_is_refused() {
        assert!(matches!("bin/ls".parse::<PathRule>(), Err(PathRuleError::Relative { .. })));
        assert!(matches!("".parse::<PathRule>(), Err(PathRuleError::Relative { .. })));
        let longest = format!("/{}", "x".repeat(LONGEST - 1));
        assert!(longest.parse::<PathRule>().is_ok());
        assert!(matches!(format!("{longest}x").parse::<PathRule>(), Err(PathRuleError::Long { len: 255 })));
    }

    #[test]
    fn a_longer_prefix_in_a_trie_has_the_bits_of_the_shorter_ones() {
        let rules =
            ["/usr", "/usr/lib/jvm", "/usr/lib*", "/opt"].map(|rule| rule.parse::<PathRule>().unwrap());
        let trie = trie(rules.iter().zip([1, 2, 4, 8]));
        let bits: Vec<_> =
            trie.iter().map(|(prefix, bits)| (str::from_utf8(prefix).unwrap(), *bits)).collect();
        assert_eq!(bits, [("/opt/", 8), ("/usr/", 1), ("/usr/lib", 5), ("/usr/lib/jvm/", 7)]);
    }
}
