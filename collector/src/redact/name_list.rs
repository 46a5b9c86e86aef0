//! Whether a word is in a list of names, in one pass over its bytes.

use std::borrow::Cow;

use aho_corasick::AhoCorasick;

/// A list of names. A `*` before or behind a name matches any text there. Case does not matter, and `-` equals `_`.
///
/// Each exec has some hundred words, and nearly all are in no list, so all names are searched at once.
#[derive(Clone, Debug)]
pub(super) struct NameList {
    /// `None` if there are too many to search for.
    stems: Option<AhoCorasick>,
    /// The answer for any word then.
    otherwise: bool,
    /// For each stem, whether any text may stand before it and behind it.
    open: Vec<(bool, bool)>,
}

impl NameList {
    /// Each may begin and end with a `*`. `otherwise` is the answer for any word if there are too many names to search for:
    /// thousands of millions of bytes.
    pub(super) fn new(names: &[String], otherwise: bool) -> Self {
        let (stems, open): (Vec<_>, Vec<_>) = names.iter().map(|name| split(name)).unzip();
        // Words are short: a search that skips ahead would begin more often than it skips.
        let stems = AhoCorasick::builder().ascii_case_insensitive(true).prefilter(false).build(stems);
        Self { stems: stems.ok(), otherwise, open }
    }

    /// Whether the word matches one of the names.
    pub(super) fn contain(&self, word: &[u8]) -> bool {
        let Some(stems) = &self.stems else { return self.otherwise };
        let word = folded(word);
        stems.find_overlapping_iter(&*word).any(|found| {
            let (left, right) = self.open.get(found.pattern().as_usize()).copied().unwrap_or_default();
            (left || found.start() == 0) && (right || found.end() == word.len())
        })
    }
}

/// The part of a name that a word must contain, and whether any text may stand before and behind it.
fn split(name: &str) -> (Vec<u8>, (bool, bool)) {
    let (left, rest) = name.strip_prefix('*').map_or((false, name), |rest| (true, rest));
    let (right, stem) = rest.strip_suffix('*').map_or((false, rest), |stem| (true, stem));
    (folded(stem.as_bytes()).into_owned(), (left, right))
}

/// With each `-` replaced by `_`.
fn folded(word: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'-', word).is_none() {
        return word.into();
    }
    word.iter().map(|&byte| if byte == b'-' { b'_' } else { byte }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::NameList;

    /// What [`NameList::contain`] must answer, name by name.
    fn is(word: &[u8], name: &str) -> bool {
        let fold = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().map(|byte| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }).collect()
        };
        let (open_left, rest) = name.strip_prefix('*').map_or((false, name), |rest| (true, rest));
        let (open_right, stem) = rest.strip_suffix('*').map_or((false, rest), |stem| (true, stem));
        let (word, stem) = (fold(word), fold(stem.as_bytes()));
        match (open_left, open_right) {
            (false, false) => word == stem,
            (true, false) => word.ends_with(&stem),
            (false, true) => word.starts_with(&stem),
            (true, true) => stem.is_empty() || word.windows(stem.len()).any(|part| part == stem),
        }
    }

    #[track_caller]
    fn check<'w>(names: &[String], words: impl IntoIterator<Item = &'w [u8]>) {
        let all = NameList::new(names, false);
        for word in words {
            let expected = names.iter().any(|name| is(word, name));
            assert_eq!(all.contain(word), expected, "{names:?} {:?}", String::from_utf8_lossy(word));
        }
    }

    #[test]
    fn an_empty_list_matches_no_word_and_a_star_matches_every_word() {
        let words = [&b""[..], b"A", b"\0"];
        check(&[], words);
        for name in ["", "*", "**", "***"] {
            check(&[name.to_owned(), "A*".to_owned()], words);
        }
    }

    #[test]
    fn a_name_within_another_is_found_while_the_longer_one_fails() {
        let names = ["*ABCD*", "*BC*", "CX"].map(str::to_owned);
        check(&names, [&b"ABCX"[..], b"ABX", b"CX", b"ACX", b"ab_c", b"xbc"]);
    }

    #[test]
    fn every_byte_may_be_in_a_name() {
        let names: Vec<String> = (0..=u8::MAX).map(|byte| char::from(byte).to_string()).collect();
        let bytes: Vec<[u8; 1]> = (0..=u8::MAX).map(|byte| [byte]).collect();
        check(&names, bytes.iter().map(|byte| &byte[..]).chain(names.iter().map(String::as_bytes)));
    }

    proptest! {
        #[test]
        fn words_match_as_name_by_name(
            names in vec(r"\*?[ab_A-]{0,4}\*?", 0..6),
            words in vec("[abBx_-]{0,8}", 1..20),
        ) {
            check(&names, words.iter().map(String::as_bytes));
        }

        #[test]
        fn any_words_match_as_name_by_name(
            names in vec(any::<String>(), 0..4),
            word in vec(any::<u8>(), 0..8),
        ) {
            check(&names, names.iter().map(String::as_bytes).chain([&word[..]]));
        }

        #[test]
        fn words_like_secrets_match_as_name_by_name(
            words in vec("(MY|x)?[_-]?(API|APIKEY|KEYS?|PASS|PASSWORD|AUTH|TOKE|TOKEN)?[_-]?(KEY|id)?", 1..20),
        ) {
            let names = super::super::words::SECRET.map(str::to_owned);
            check(&names, words.iter().map(String::as_bytes));
        }
    }
}
