//! A path in a rule, and which paths it matches: the same ones as the trie of the kernel side.

use std::{collections::BTreeMap, fmt, str::FromStr};

use collector_common::RULE_PATH_MAX;

/// The longest path of a rule. Behind it come a `/` and one byte to spare, so no path that was cut ends as a rule does.
const LONGEST: usize = RULE_PATH_MAX - 2;

/// A file, or a directory with everything below it: `/opt/app`. Or every path that begins so: `/usr/bin/python*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// As it is written, with no `/` at its end.
    text: String,
    /// The beginning of every path that matches, if a `/` is put behind that path.
    prefix: Vec<u8>,
}

/// Why a path of a rule was rejected: no path could ever match it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathRuleError {
    /// It does not begin at the root.
    #[error("{text:?} does not begin with /; give the whole path, as the events have it")]
    Relative {
        /// The path.
        text: String,
    },
    /// It has a `*` before its end.
    #[error(
        "{text:?} has a * before its end; only the last character may be one, and then matches any ending"
    )]
    Star {
        /// The path.
        text: String,
    },
    /// It has a `.` or `..` as a component.
    #[error("{text:?} has a component . or ..; give the path as the events have it: `realpath` prints it")]
    Dots {
        /// The path.
        text: String,
    },
    /// It is longer than the kernel side can compare.
    #[error(
        "a path of {len} bytes is too long for a rule: {LONGEST} at most; name a directory above, or end it with *"
    )]
    Long {
        /// Its length in bytes.
        len: usize,
    },
}

impl PathRule {
    /// The beginning of every path that matches, if a `/` is put behind that path.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether it matches this absolute path.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        path.starts_with(&self.prefix) || self.prefix.strip_suffix(b"/") == Some(path)
    }

    /// Whether it matches every path that `other` matches.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.prefix.starts_with(&self.prefix)
    }

    /// As it is written, with no `/` at its end.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for PathRule {
    type Err = PathRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let owned = || text.to_owned();
        if !text.starts_with('/') {
            return Err(PathRuleError::Relative { text: owned() });
        }
        if text.split('/').any(|component| matches!(component, "." | "..")) {
            return Err(PathRuleError::Dots { text: owned() });
        }
        let mut path = text
            .split('/')
            .filter(|component| !component.is_empty())
            .fold(String::with_capacity(text.len()), |path, component| path + "/" + component);
        if path.len() > LONGEST {
            return Err(PathRuleError::Long { len: path.len() });
        }
        if path.strip_suffix('*').unwrap_or(&path).contains('*') {
            return Err(PathRuleError::Star { text: owned() });
        }
        if let Some(beginning) = path.strip_suffix('*') {
            return Ok(Self { prefix: beginning.into(), text: path });
        }
        let prefix = [path.as_bytes(), b"/"].concat();
        if path.is_empty() {
            path.push('/');
        }
        Ok(Self { text: path, prefix })
    }
}

impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Rules as entries of a longest-prefix trie, which answers with one entry: each has the bits of its own rule and of every
/// rule whose prefix begins it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trie(BTreeMap<Vec<u8>, u32>);

impl Trie {
    /// Takes time that grows with the number of rules, not with its square: users load lists of 100,000.
    pub(crate) fn new<'r>(rules: impl Iterator<Item = (&'r PathRule, u32)>) -> Self {
        let mut own: BTreeMap<&[u8], u32> = BTreeMap::new();
        for (rule, bits) in rules {
            *own.entry(&rule.prefix).or_default() |= bits;
        }
        // In sorted order a prefix comes right before all that it begins.
        let mut above: Vec<(&[u8], u32)> = Vec::new();
        let mut entries = BTreeMap::new();
        for (prefix, bits) in own {
            while above.pop_if(|(other, _)| !prefix.starts_with(other)).is_some() {}
            let bits = above.last().map_or(bits, |(_, of_beginnings)| bits | of_beginnings);
            above.push((prefix, bits));
            entries.insert(prefix.to_vec(), bits);
        }
        Self(entries)
    }

    /// Prefixes with their bits.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.0.iter().map(|(prefix, bits)| (prefix.as_slice(), *bits))
    }

    /// The bits of all rules that match this absolute path.
    pub(crate) fn bits(&self, path: &[u8]) -> u32 {
        let path = [path, b"/"].concat();
        let mut lengths = (0..=path.len().min(LONGEST + 1)).rev();
        lengths.find_map(|len| self.0.get(path.get(..len)?)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{LONGEST, PathRule, PathRuleError, Trie};

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
    fn slashes_may_come_twice_as_they_do_for_the_kernel() {
        check("//opt//app/", "/opt/app/x", true);
        check("/opt//*", "/opt/x", true);
        assert_eq!("//opt//*".parse::<PathRule>().unwrap().to_string(), "/opt/*");
    }

    #[track_caller]
    fn refused(text: &str, words: &str) {
        let error = text.parse::<PathRule>().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn a_path_that_no_event_can_have_is_refused() {
        refused("bin/ls", "does not begin with /");
        refused("", "does not begin with /");
        refused("/usr/*/bash", "has a * before its end");
        refused("/usr/bin/**", "has a * before its end");
        refused("/usr/../bin", "component . or ..");
        refused("/usr/bin/.", "component . or ..");
        assert!("/home/me/.*".parse::<PathRule>().is_ok());
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let longest = format!("/{}", "x".repeat(LONGEST - 1));
        assert!(longest.parse::<PathRule>().is_ok());
        assert!(matches!(format!("{longest}x").parse::<PathRule>(), Err(PathRuleError::Long { len: 255 })));
    }

    fn rules(texts: &[&str]) -> Vec<PathRule> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_longer_prefix_in_a_trie_has_the_bits_of_the_shorter_ones() {
        let rules = rules(&["/usr", "/usr/lib/jvm", "/usr/lib*", "/opt"]);
        let trie = Trie::new(rules.iter().zip([1, 2, 4, 8]));
        let bits: Vec<_> =
            trie.entries().map(|(prefix, bits)| (str::from_utf8(prefix).unwrap(), bits)).collect();
        assert_eq!(bits, [("/opt/", 8), ("/usr/", 1), ("/usr/lib", 5), ("/usr/lib/jvm/", 7)]);
    }

    proptest! {
        #[test]
        fn a_trie_has_the_bits_of_each_rule_that_matches(
            texts in vec(r"/[ab/]{0,6}\*?", 1..8),
            path in "/[ab/]{0,8}",
        ) {
            let rules = rules(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            let with_bits = || rules.iter().zip((0..8).map(|bit| 1 << bit));
            let matching = with_bits().filter(|(rule, _)| rule.matches(path.as_bytes()));
            let expected = matching.fold(0, |all, (_, bit)| all | bit);
            prop_assert_eq!(Trie::new(with_bits()).bits(path.as_bytes()), expected);
        }
    }
}
