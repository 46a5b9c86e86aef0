//! A source file, parted into code and comments, so that a rule about code is not broken by a word in a
//! string. Not a parser: it knows comments, strings and characters, and nothing of what stands between.

/// A Rust file.
pub(super) struct Source {
    /// From the workspace's root.
    pub(super) path: String,
    pub(super) lines: Vec<Line>,
}

/// One line; what belongs to the other part is blank, so that columns stay.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) code: String,
    pub(super) comment: String,
}

/// What a stretch of text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (mut code, mut comment) = (String::new(), String::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (part, len) = next_part(rest);
            // A stretch ends where a character does; were it not so, the remaining text is code.
            let (stretch, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
            push(&mut code, stretch, part == Part::Code);
            push(&mut comment, stretch, part == Part::Comment);
            rest = after;
        }
        let lines = code.lines().zip(comment.lines());
        let lines = lines.map(|(code, comment)| Line { code: code.to_owned(), comment: comment.to_owned() });
        Self { path: path.to_owned(), lines: lines.collect() }
    }
}

impl Line {
    /// The words of the code with the column, in bytes, where each starts.
    pub(super) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        words(&self.code)
    }
}

/// Identifiers, keywords and numbers, with the byte at which each starts.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    text.split_inclusive(|c: char| !is_word(c)).filter_map(move |piece| {
        let start = end;
        end += piece.len();
        let word = piece.trim_end_matches(|c: char| !is_word(c));
        (!word.is_empty()).then_some((start, word))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn push(to: &mut String, stretch: &str, keep: bool) {
    to.extend(stretch.chars().map(|c| if keep || c == '\n' { c } else { ' ' }));
}

/// The part with which `rest` begins, and its length in bytes; at least one character.
fn next_part(rest: &str) -> (Part, usize) {
    if rest.starts_with("//") {
        return (Part::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Part::Comment, block_comment_len(rest));
    }
    if let Some(len) = string_len(rest).or_else(|| character_len(rest)) {
        return (Part::Literal, len);
    }
    let word_len = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
    (Part::Code, word_len.max(rest.chars().next().map_or(1, char::len_utf8)))
}

/// Block comments nest.
fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, _) in rest.match_indices(['/', '*']) {
        let pair = rest.get(at..at + 2);
        if pair == Some("/*") {
            depth += 1;
        } else if pair == Some("*/") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 2;
            }
        }
    }
    rest.len()
}

/// `"…"`, `b"…"`, `c"…"`, and the raw ones, `r"…"` and `br#"…"#`.
fn string_len(rest: &str) -> Option<usize> {
    let quoted = rest.trim_start_matches(['b', 'c', 'r', '#']);
    let prefix = rest.get(..rest.len() - quoted.len())?;
    let inside = quoted.strip_prefix('"')?;
    let kind = prefix.trim_end_matches('#');
    let inside_len = match kind {
        "r" | "br" | "cr" => {
            let end = format!("\"{}", prefix.get(kind.len()..)?);
            inside.find(&end).map_or(inside.len(), |at| at + end.len())
        }
        "" | "b" | "c" if kind == prefix => escaped_len(inside, '"'),
        _ => return None,
    };
    Some(prefix.len() + 1 + inside_len)
}

/// `'x'`, `b'x'`, `'\n'`, but not the lifetime `'x`.
fn character_len(rest: &str) -> Option<usize> {
    let quoted = rest.strip_prefix('b').filter(|quoted| quoted.starts_with('\'')).unwrap_or(rest);
    let inside = quoted.strip_prefix('\'')?;
    let mut characters = inside.chars();
    let first = characters.next()?;
    if first != '\\' && characters.next() != Some('\'') {
        return None;
    }
    Some(rest.len() - inside.len() + escaped_len(inside, '\''))
}

/// The length up to and with the first `end` that no backslash precedes.
fn escaped_len(inside: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if c == end && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    inside.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, comment: &str) {
        let source = Source::new("x.rs", text);
        let joined = |part: fn(&Line) -> &str| {
            let trimmed = source.lines.iter().map(|line| part(line).split_whitespace().collect::<Vec<_>>());
            trimmed.map(|words| words.join(" ")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            (joined(|line| &line.code), joined(|line| &line.comment)),
            (code.to_owned(), comment.to_owned())
        );
    }

    #[test]
    fn comments_are_not_code() {
        check("a // b\nc /* d\n/* e */ f */ g", "a\nc\ng", "// b\n/* d\n/* e */ f */");
    }

    #[test]
    fn strings_are_neither_code_nor_comment() {
        check(r#"a("// \" b", c)"#, "a( , c)", "");
        check(r##"a(r#"b" // c"#, d)"##, "a( , d)", "");
        check(r#"a(br"\", b"\\", c"d")"#, "a( , , )", "");
    }

    #[test]
    fn a_character_is_told_from_a_lifetime() {
        check(r#"fn a<'b>(c: &'b str) { '"' == b'\'' } // d"#, "fn a<'b>(c: &'b str) { == }", "// d");
    }

    #[test]
    fn a_raw_identifier_is_code() {
        check("r#type + b", "r#type + b", "");
    }

    #[test]
    fn words_come_with_their_columns() {
        let found: Vec<_> = words("let x_1 = unsafe{y}").collect();
        assert_eq!(found, [(0, "let"), (4, "x_1"), (10, "unsafe"), (17, "y")]);
    }
}
