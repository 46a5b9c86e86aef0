//! `unsafe` lives in few rooms, and each use says above itself why it holds. clippy knows the second rule
//! too, but not for the kernel object on every toolchain, and not the first.

use crate::tidy::Fault;
use crate::tidy::source::{Line, Source};

/// How much of `unsafe` a room may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Any,
    /// `#[unsafe(no_mangle)]` and its like, which give a program its name and section.
    Attributes,
}

/// Folders and files, from the root, that may have `unsafe`. All others have none.
const ROOMS: &[(&str, Room)] = &[
    ("collector-ebpf/src/kernel/", Room::Any),
    ("collector-ebpf/src/emit.rs", Room::Any),
    ("collector-ebpf/src/maps.rs", Room::Any),
    ("collector-ebpf/src/maps/", Room::Any),
    ("collector-ebpf/src/main.rs", Room::Any),
    ("collector-ebpf/src/probes/", Room::Attributes),
    ("collector/src/load/", Room::Any),
    ("collector/src/linux.rs", Room::Any),
    ("collector/src/procfs/", Room::Any),
    ("tests/", Room::Any),
];

/// What the keyword stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Attribute,
    /// A block, an `impl` or an `extern` block: here a promise is made.
    Promise,
    /// A function with a body, or a trait: here a promise is asked for.
    Contract,
    /// A type, or a declaration without a body: the promise is elsewhere.
    Mention,
}

pub(super) fn check(source: &Source) -> Vec<Fault> {
    let room = ROOMS.iter().find(|(path, _)| source.path.starts_with(path)).map(|(_, room)| *room);
    let uses = source.lines.iter().enumerate().flat_map(|(index, line)| {
        let keywords = line.words().filter(|(_, word)| *word == "unsafe");
        keywords.map(move |(column, _)| (index, column))
    });
    uses.filter_map(|(index, column)| {
        let rule = fault(source, room, index, column)?;
        Some(Fault { line: index + 1, rule })
    })
    .collect()
}

fn fault(source: &Source, room: Option<Room>, index: usize, column: usize) -> Option<&'static str> {
    let found = classify(source, index, column);
    let allowed = match room {
        Some(Room::Any) => true,
        Some(Room::Attributes) => found == Use::Attribute,
        None => false,
    };
    if !allowed {
        return Some("`unsafe` outside the rooms that xtask/src/tidy/unsafe_code.rs lists");
    }
    match found {
        Use::Attribute | Use::Mention => None,
        Use::Promise if is_explained(source, index, &["SAFETY:"]) => None,
        Use::Promise => Some("`unsafe` without a `// SAFETY:` comment right above"),
        Use::Contract if is_explained(source, index, &["SAFETY:", "# Safety"]) => None,
        Use::Contract => Some("an `unsafe fn` or trait without `# Safety` or `SAFETY:` right above"),
    }
}

fn classify(source: &Source, index: usize, column: usize) -> Use {
    let lines = source.lines.get(index..).unwrap_or_default();
    let code = lines.iter().map(|line| line.code.trim_end()).collect::<Vec<_>>().join("\n");
    let code = code.get(column..).unwrap_or_default().trim_start_matches("unsafe").trim_start();
    let code_after_abi = code.strip_prefix("extern").map_or(code, str::trim_start);
    if code.starts_with('(') {
        Use::Attribute
    } else if let Some(function) = code_after_abi.strip_prefix("fn") {
        if has_name(function) && has_body(function) { Use::Contract } else { Use::Mention }
    } else if code.starts_with("trait") {
        Use::Contract
    } else {
        Use::Promise
    }
}

fn has_name(function: &str) -> bool {
    !function.trim_start().starts_with('(')
}

/// A declaration ends its line; another semicolon may stand in `[u8; 4]`.
fn has_body(function: &str) -> bool {
    let declaration = function.find(";\n").unwrap_or(function.len());
    function.find('{').is_some_and(|body| body < declaration)
}

/// Whether the comment above the statement of this line holds one of `marks`. Attributes, and earlier lines
/// of the same statement, may stand between.
fn is_explained(source: &Source, index: usize, marks: &[&str]) -> bool {
    let mut in_comment = false;
    for line in source.lines.iter().take(index).rev() {
        if is_comment(line) {
            in_comment = true;
            if marks.iter().any(|mark| line.comment.contains(mark)) {
                return true;
            }
        } else if in_comment || !continues(line) {
            return false;
        }
    }
    false
}

fn is_comment(line: &Line) -> bool {
    line.code.trim().is_empty() && !line.comment.trim().is_empty()
}

/// Whether the statement or item goes on after this line.
fn continues(line: &Line) -> bool {
    let code = line.code.trim();
    !code.is_empty() && !code.ends_with([';', '{', '}', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, lines: &[usize]) {
        let faults = check(&Source::new(path, text));
        let found: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(found, lines, "{faults:?}");
    }

    #[test]
    fn unsafe_outside_its_rooms_is_a_fault() {
        check_text("collector/src/decode/mod.rs", "// SAFETY: a\nlet x = unsafe { y };", &[2]);
        check_text("collector/src/linux.rs", "// SAFETY: a\nlet x = unsafe { y };", &[]);
    }

    #[test]
    fn a_name_that_holds_the_word_is_not_the_word() {
        check_text("collector/src/lib.rs", "#![forbid(unsafe_code)]\n// unsafe\nlet x = \"unsafe {\";", &[]);
    }

    #[test]
    fn a_probe_may_have_attributes_only() {
        check_text("collector-ebpf/src/probes/exit.rs", "#[unsafe(no_mangle)]\nfn x() {}", &[]);
        check_text("collector-ebpf/src/probes/exit.rs", "// SAFETY: a\nunsafe { y() }", &[2]);
    }

    #[test]
    fn a_block_is_explained_right_above() {
        check_text("collector/src/linux.rs", "let x = unsafe { y };", &[1]);
        check_text("collector/src/linux.rs", "// SAFETY: a\n\nlet x = unsafe { y };", &[3]);
        check_text("collector/src/linux.rs", "// SAFETY: a\nlet x = 1;\nlet y = unsafe { x };", &[3]);
        check_text("collector/src/linux.rs", "// SAFETY: a\n// and b\nlet x = unsafe { y };", &[]);
    }

    #[test]
    fn a_statement_may_begin_on_an_earlier_line() {
        check_text("collector/src/linux.rs", "// SAFETY: a\nlet x =\n    unsafe { y };", &[]);
    }

    #[test]
    fn an_impl_is_explained_above_its_attributes() {
        check_text("collector/src/load/wire.rs", "// SAFETY: a\n#[cfg(x)]\nunsafe impl A for B {}", &[]);
        check_text("collector/src/load/wire.rs", "unsafe impl A for B {}", &[1]);
    }

    #[test]
    fn a_function_may_say_what_it_asks_for_in_its_docs() {
        check_text("collector/src/linux.rs", "/// # Safety\n/// a\nunsafe fn x() {}", &[]);
        check_text("collector/src/linux.rs", "/// Docs.\nunsafe fn x() -> [u8; 4] {}", &[2]);
        check_text("collector/src/linux.rs", "/// Docs.\nunsafe extern \"C\" fn x() {}", &[2]);
    }

    #[test]
    fn a_type_and_a_declaration_promise_nothing() {
        check_text("collector/src/linux.rs", "type X = unsafe fn(u32);\nunsafe fn x();\nfn y() {}", &[]);
        check_text("collector/src/linux.rs", "type X = unsafe extern \"C\" fn(u32);", &[]);
    }
}
