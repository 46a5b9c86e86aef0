//! Whether a name is one of a list, told by one look at each of its bytes.

use std::collections::VecDeque;

/// A list of names, each with a `*` before or behind it where it may be a part of a longer one. Case does not matter, and `-`
/// is `_`.
///
/// Some hundred words of each exec are asked about, and nearly all are in no list. So the names are parted into steps
/// beforehand, as Aho and Corasick do: what was seen of a word so far is one number, whatever the number of names. That a
/// name begins or ends where the word does is a step like any other.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The step that a byte of a word is: 0 for all that are in no name.
    steps: [u8; 256],
    /// For what was seen and each step, what is seen then; what was seen is where its row begins.
    next: Vec<usize>,
    /// What was seen before the first byte.
    begin: usize,
    /// The step that is the end of a word.
    end: usize,
}

/// Nothing of any name was seen: the first row.
const NOTHING: usize = 0;

impl Names {
    /// Each may begin and end with a `*`.
    pub(super) fn new(names: &[String]) -> Self {
        let (steps, last) = steps(names);
        let (begin, end) = (usize::from(last) + 1, usize::from(last) + 2);
        let mut rows = Rows::new(end + 1);
        for name in names {
            let (open_left, rest) = name.strip_prefix('*').map_or((false, &**name), |rest| (true, rest));
            let (open_right, stem) = rest.strip_suffix('*').map_or((false, rest), |stem| (true, stem));
            let stem = stem.bytes().filter_map(|byte| steps.get(usize::from(byte)));
            let before = (!open_left).then_some(begin);
            let behind = (!open_right).then_some(end);
            rows.add(before.into_iter().chain(stem.map(|&step| step.into())).chain(behind));
        }
        rows.close();
        let begin = rows.next(NOTHING, begin);
        Self { steps, begin, end, next: rows.next }
    }

    /// Whether one of them is this word's.
    pub(super) fn have(&self, word: &[u8]) -> bool {
        let next = |seen: usize, step: usize| self.next.get(seen + step).copied().unwrap_or(NOTHING);
        let step = |byte: u8| self.steps.get(usize::from(byte)).copied().unwrap_or(0);
        let seen = word.iter().fold(self.begin, |seen, &byte| next(seen, step(byte).into()));
        next(seen, self.end) == self.found()
    }

    /// A name was seen: the second row, which nothing leaves.
    fn found(&self) -> usize {
        self.end + 1
    }
}

/// A step for each byte that is in a name, and the last of them.
fn steps(names: &[String]) -> ([u8; 256], u8) {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
    let mut steps = [0; 256];
    let mut last = 0;
    for byte in names.iter().flat_map(|name| name.bytes()).map(fold) {
        if let Some(step @ 0) = steps.get_mut(usize::from(byte)) {
            last += 1;
            *step = last;
        }
    }
    let folded = |byte: u8| steps.get(usize::from(fold(byte))).copied().unwrap_or(0);
    let mut all = [0; 256];
    all.iter_mut().zip(0..=u8::MAX).for_each(|(step, byte)| *step = folded(byte));
    (all, last)
}

/// The rows of [`Names::next`] while they are made.
struct Rows {
    width: usize,
    next: Vec<usize>,
}

impl Rows {
    /// The first two, from which nothing leads on.
    fn new(width: usize) -> Self {
        let next = [vec![NOTHING; width], vec![width; width]].concat();
        Self { width, next }
    }

    fn next(&self, seen: usize, step: usize) -> usize {
        self.next.get(seen + step).copied().unwrap_or(NOTHING)
    }

    fn set(&mut self, seen: usize, step: usize, then: usize) {
        if let Some(next) = self.next.get_mut(seen + step) {
            *next = then;
        }
    }

    /// Adds a name, given as its steps.
    fn add(&mut self, name: impl Iterator<Item = usize>) {
        let mut name = name.peekable();
        let mut seen = NOTHING;
        while let Some(step) = name.next() {
            let mut then = self.next(seen, step);
            if name.peek().is_none() {
                then = self.width;
            } else if then == NOTHING {
                then = self.next.len();
                self.next.resize(then + self.width, NOTHING);
            }
            self.set(seen, step, then);
            // What begins as a name that is there already adds nothing.
            if then == self.width {
                return;
            }
            seen = then;
        }
        // The name `**` is any word's.
        self.next.fill(self.width);
    }

    /// Where no name goes on, what was seen goes on as the longest end of it with which a name begins.
    fn close(&mut self) {
        let mut open = VecDeque::from([(NOTHING, None)]);
        while let Some((seen, shorter)) = open.pop_front() {
            for step in 0..self.width {
                let otherwise = shorter.map_or(NOTHING, |shorter| self.next(shorter, step));
                let then = self.next(seen, step);
                if then == NOTHING || otherwise == self.width {
                    self.set(seen, step, otherwise);
                } else if then != self.width {
                    open.push_back((then, Some(otherwise)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::Names;

    /// What [`Names::have`] is to answer, name by name.
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
        let all = Names::new(names);
        for word in words {
            let expected = names.iter().any(|name| is(word, name));
            assert_eq!(all.have(word), expected, "{names:?} {:?}", String::from_utf8_lossy(word));
        }
    }

    #[test]
    fn no_names_have_no_word_and_a_star_has_every_word() {
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
        fn words_are_found_as_name_by_name(
            names in vec(r"\*?[ab_A-]{0,4}\*?", 0..6),
            words in vec("[abBx_-]{0,8}", 1..20),
        ) {
            check(&names, words.iter().map(String::as_bytes));
        }

        #[test]
        fn any_words_are_found_as_name_by_name(
            names in vec(any::<String>(), 0..4),
            word in vec(any::<u8>(), 0..8),
        ) {
            check(&names, names.iter().map(String::as_bytes).chain([&word[..]]));
        }

        #[test]
        fn words_like_secrets_are_found_as_name_by_name(
            words in vec("(MY|x)?[_-]?(API|APIKEY|KEYS?|PASS|PASSWORD|AUTH|TOKE|TOKEN)?[_-]?(KEY|id)?", 1..20),
        ) {
            let names = crate::config::Redaction::default().names;
            check(&names, words.iter().map(String::as_bytes));
        }
    }
}
