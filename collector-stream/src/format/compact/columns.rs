//! Text in columns: how wide it is on a terminal, cut and padded.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

/// Stands where text was cut.
const CUT: char = '…';

/// Columns that a terminal takes for `text`.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(columns_of).sum() }
}

/// Control characters never come here: they are escaped before.
fn columns_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// As much of `text` as fits into `columns`, with `…` at its end where something is left out.
pub(super) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    // A byte is never more than a column wide, and a mark of accent takes bytes and no column.
    if text.len() <= columns || (width(text) <= columns && text.len() <= columns.saturating_mul(4)) {
        return text.into();
    }
    let mut kept = 0;
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        taken += columns_of(character);
        // One column is for the mark.
        if taken >= columns || at >= columns.saturating_mul(4) {
            break;
        }
        kept = at + character.len_utf8();
    }
    let mut shown = text.get(..kept).unwrap_or_default().to_owned();
    if columns > 0 {
        shown.push(CUT);
    }
    shown.into()
}

/// `text` cut to `columns` and filled up to it with spaces, appended to `line`.
pub(super) fn push_padded(line: &mut String, text: &str, columns: usize) {
    let text = cut(text, columns);
    line.push_str(&text);
    line.extend((width(&text)..columns).map(|_| ' '));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{cut, push_padded, width};

    #[track_caller]
    fn check(text: &str, columns: usize, expected: &str) {
        assert_eq!(cut(text, columns), expected);
    }

    #[test]
    fn wide_characters_take_two_columns_and_accents_none() {
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("ls -l"), 5);
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        check("ls -l", 5, "ls -l");
        check("ls -la", 5, "ls -…");
        check("日本語", 6, "日本語");
        check("日本語", 5, "日本…");
        check("日本語", 4, "日…");
        check("abc", 1, "…");
        check("abc", 0, "");
    }

    #[test]
    fn a_pile_of_accents_is_cut_too() {
        let pile = format!("a{}", "\u{301}".repeat(1000));
        assert!(cut(&pile, 10).len() < 60);
    }

    #[test]
    fn columns_are_filled_with_spaces_by_width() {
        let mut line = String::new();
        push_padded(&mut line, "日", 4);
        push_padded(&mut line, "abcdef", 4);
        assert_eq!(line, "日  abc…");
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_its_columns(text: String, columns in 0usize..40) {
            prop_assert!(width(&cut(&text, columns)) <= columns);
        }
    }
}
