//! Text that is safe on a terminal: what a process calls itself must not move the cursor, hide or reorder what is shown.

use std::borrow::Cow;

/// `text` on one line, with escapes such as `\n` or `\u{202e}` for every character that a terminal interprets or does not show:
/// control characters, line separators, changes of direction, invisible characters, tags and variation selectors.
///
/// Borrows where nothing is to be escaped, which is nearly always.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// Like [`printable`] for text of several lines: line feeds stay.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return printable(text);
    }
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n").into()
}

/// Whether a terminal obeys this character or shows nothing of it. These are the control characters, the line separators
/// and Unicode's `Default_Ignorable_Code_Point`, which has the controls of direction, too.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{printable, printable_lines};

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(printable(text), expected);
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        check("a\n\x1b[2Jb\r\t\u{9b}", r"a\n\u{1b}[2Jb\r\t\u{9b}");
    }

    #[test]
    fn text_cannot_be_reordered_or_hidden() {
        for hidden in [
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{61c}',
            '\u{feff}',
            '\u{e0001}',
            '\u{e0061}',
            '\u{e007f}',
            '\u{fe0f}',
            '\u{ad}',
            '\u{3164}',
            '\u{2060}',
            '\u{180e}',
        ] {
            check(&format!("a{hidden}b"), &format!("a{}b", hidden.escape_unicode()));
        }
    }

    #[test]
    fn visible_text_of_any_script_stays() {
        for text in ["", "ls -l 'a b' \\", "grüße 日本語 שלום مرحبا 🦀 \u{fffd}"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(printable_lines("a\x1b\n\u{202e}b\n"), "a\\u{1b}\n\\u{202e}b\n");
        assert_eq!(printable_lines("a\rb"), "a\\rb");
    }
}
