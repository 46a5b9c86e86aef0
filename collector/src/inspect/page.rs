//! Lines of text for people, in sections. Characters that a terminal obeys or hides are escaped.

use std::{fmt::Display, io};

use crate::stream::format::printable;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// Columns for the names of facts.
const NAME: usize = 18;

/// The text that is written.
pub(super) struct Page<'a, W> {
    out: &'a mut W,
    colour: bool,
}

impl<'a, W: io::Write> Page<'a, W> {
    pub(super) fn new(out: &'a mut W, colour: bool) -> Self {
        Self { out, colour }
    }

    /// The title of a section.
    pub(super) fn section(&mut self, title: &str) -> io::Result<()> {
        let (bold, plain) = if self.colour { (BOLD, PLAIN) } else { ("", "") };
        writeln!(self.out, "{bold}{}{plain}", printable(title))
    }

    /// A fact.
    pub(super) fn line(&mut self, name: &str, value: impl Display) -> io::Result<()> {
        let (dim, plain) = if self.colour { (DIM, PLAIN) } else { ("", "") };
        writeln!(self.out, "  {dim}{name:<NAME$}{plain} {}", printable(&value.to_string()))
    }

    /// A fact, if it is known.
    pub(super) fn optional(&mut self, name: &str, value: Option<impl Display>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.line(name, value))
    }

    /// A field that is missing, and why.
    pub(super) fn gap(&mut self, field: &str, reason: &str) -> io::Result<()> {
        let (yellow, plain) = if self.colour { (YELLOW, PLAIN) } else { ("", "") };
        writeln!(self.out, "  {:<NAME$} {yellow}{}{plain}", printable(field), printable(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn a_process_cannot_speak_to_the_terminal_by_its_name() {
        let mut text = Vec::new();
        let mut page = Page::new(&mut text, false);
        page.section("process 1 a\x1b[31mb\n").unwrap();
        page.line("comm", "\u{202e}c").unwrap();
        page.gap("\x1b", "x\r").unwrap();
        let expected =
            "process 1 a\\u{1b}[31mb\\n\n  comm               \\u{202e}c\n  \\u{1b}             x\\r\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
