//! Rules on any line of any file.

use crate::tidy::Fault;
use crate::tidy::source::{Line, Source, words};

/// Above this a file holds more than one thing.
const MAX_LINES: usize = 500;

/// Tables may be longer. Each entry is a path from the root.
const LONG_TABLES: &[&str] = &[];

/// Words that mark work left undone. Such work is an issue with a number, not a comment.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX"];

pub(super) fn check(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !source.lines.first().is_some_and(|line| line.comment.starts_with("//!")) {
        faults.push(Fault { line: 1, rule: "the file does not start with `//!` and what it is for" });
    }
    if source.lines.len() > MAX_LINES && !LONG_TABLES.contains(&source.path.as_str()) {
        faults.push(Fault { line: MAX_LINES + 1, rule: "the file has more than 500 lines" });
    }
    for (index, line) in source.lines.iter().enumerate() {
        if is_unfinished(line) {
            faults.push(Fault { line: index + 1, rule: "unfinished work belongs into an issue" });
        }
        if line.code.contains("[allow(") && !has_reason(source, index) {
            faults.push(Fault { line: index + 1, rule: "an `allow` without `reason = \"…\"`" });
        }
    }
    faults
}

fn is_unfinished(line: &Line) -> bool {
    let mut all = line.words().chain(words(&line.comment));
    all.any(|(_, word)| UNFINISHED.contains(&word)) || line.code.contains("todo!")
}

/// Whether the attribute that starts on this line gives a reason before it ends.
fn has_reason(source: &Source, start: usize) -> bool {
    for line in source.lines.iter().skip(start) {
        if line.words().any(|(_, word)| word == "reason") {
            return true;
        }
        if line.code.contains(")]") {
            break;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, lines: &[usize]) {
        let faults = check(&Source::new("x.rs", text));
        let found: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(found, lines, "{faults:?}");
    }

    #[test]
    fn a_file_starts_with_its_purpose() {
        check_text("//! Purpose.\nfn x() {}\n", &[]);
        check_text("// Not a module doc.\n", &[1]);
        check_text("", &[1]);
    }

    #[test]
    fn a_file_ends_at_500_lines() {
        check_text(&format!("//! P.\n{}", "x;\n".repeat(499)), &[]);
        check_text(&format!("//! P.\n{}", "x;\n".repeat(500)), &[501]);
    }

    #[test]
    fn unfinished_work_is_found_in_comments_and_code() {
        check_text("//! P.\n// TODO: more\nfn x() { todo!() }\n", &[2, 3]);
    }

    #[test]
    fn unfinished_work_is_not_found_in_strings() {
        check_text("//! P.\nlet x = \"TODO todo!\";\n", &[]);
    }

    #[test]
    fn an_allow_gives_a_reason() {
        check_text("//! P.\n#[allow(dead_code)]\n", &[2]);
        check_text("//! P.\n#![allow(\n    dead_code,\n    reason = \"r\"\n)]\n", &[]);
        check_text("//! P.\n#[expect(dead_code, reason = \"r\")]\n", &[]);
    }
}
