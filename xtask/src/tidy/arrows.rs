//! Which file of a crate names which other: an arrow for each path in the code, drawn to the file that defines what
//! the path names. Modules that a path only passes through, and re-exports, get no arrow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::tidy::modules::{Crate, Mention, Module};

/// The arrows of a crate, each with the lines of the first file that draw it.
pub(super) type Arrows = BTreeMap<(PathBuf, PathBuf), Vec<usize>>;

/// `use` chains longer than this are a loop that the compiler refuses too.
const MAX_STEPS: usize = 32;

/// What a path or a part of it names.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// An item of the module with this index.
    Item(usize),
    /// Another crate, which a `use` brings in.
    Elsewhere,
}

/// Draws the arrows of one crate.
pub(super) fn of(it: &Crate) -> Arrows {
    let mut arrows = Arrows::new();
    for (index, module) in it.modules.iter().enumerate() {
        for Mention { path, line } in &module.mentions {
            let Some(to) = target_file(it, index, module, path) else { continue };
            if to != module.file {
                arrows.entry((module.file.clone(), to.to_owned())).or_default().push(*line);
            }
        }
    }
    for lines in arrows.values_mut() {
        lines.sort_unstable();
        lines.dedup();
    }
    arrows
}

/// The file that defines what `path` names, in this crate. A lone name needs a look only where a re-export brings it
/// in: other imports are arrows themselves.
fn target_file<'a>(it: &'a Crate, at: usize, module: &Module, path: &[String]) -> Option<&'a Path> {
    if let [name] = path
        && !module.reexports.contains(name)
    {
        return None;
    }
    let (path, is_glob) = match path.split_last() {
        Some((last, module)) if last == "*" => (module, true),
        _ => (path, false),
    };
    match resolve(it, at, path, MAX_STEPS)? {
        Target::Elsewhere => None,
        Target::Module(_) if !is_glob => None,
        Target::Module(index) | Target::Item(index) => Some(&it.modules.get(index)?.file),
    }
}

fn resolve(it: &Crate, at: usize, path: &[String], steps: usize) -> Option<Target> {
    let (first, rest) = path.split_first()?;
    let mut target = match first.as_str() {
        "crate" => Target::Module(0),
        "self" => Target::Module(at),
        "super" => Target::Module(it.modules.get(at)?.parent),
        name => look_up(it, at, name, steps)?,
    };
    for segment in rest {
        let Target::Module(index) = target else { break };
        target = match segment.as_str() {
            "super" => Target::Module(it.modules.get(index)?.parent),
            // A name that no parsed item has comes from a macro of that module.
            name => look_up(it, index, name, steps).unwrap_or(Target::Item(index)),
        };
    }
    Some(target)
}

/// What `name` is in the module `at`.
fn look_up(it: &Crate, at: usize, name: &str, steps: usize) -> Option<Target> {
    let steps = steps.checked_sub(1)?;
    let module = it.modules.get(at)?;
    if let Some(child) = module.children.get(name) {
        return Some(Target::Module(*child));
    }
    if module.items.contains(name) {
        return Some(Target::Item(at));
    }
    if let Some(path) = module.imports.get(name) {
        return Some(resolve(it, at, path, steps).unwrap_or(Target::Elsewhere));
    }
    module.globs.iter().find_map(|glob| match resolve(it, at, glob, steps)? {
        Target::Module(index) => look_up(it, index, name, steps),
        Target::Item(_) | Target::Elsewhere => None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use anyhow::Context;

    use super::*;

    /// The arrows of a crate of these files, whose root is the first.
    pub(in crate::tidy) fn arrows_of(files: &[(&str, &str)]) -> Arrows {
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned()).context("no such file")
        };
        of(&Crate::read(Path::new(files[0].0), &read).unwrap())
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let found: Vec<_> = arrows_of(files)
            .iter()
            .map(|((from, to), lines)| format!("{}:{lines:?} {}", from.display(), to.display()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_use_and_an_inline_path_are_arrows_with_their_lines() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b::X;\nfn f() { super::b::g(); println!(\"{}\", crate::b::h()); }"),
                ("b.rs", "pub struct X; pub fn g() {} pub fn h() {}"),
            ],
            &["a.rs:[1, 2] b.rs"],
        );
    }

    #[test]
    fn a_reexport_leads_to_the_file_that_defines_the_item() {
        check(
            &[
                ("lib.rs", "pub mod room;"),
                ("room/mod.rs", "mod a; mod b; pub use self::{a::A, b::*};"),
                ("room/a.rs", "use super::B; use crate::room::b;\npub struct A(B); fn f() { b::g() }"),
                ("room/b.rs", "pub struct B; pub fn g() {}"),
            ],
            &["room/a.rs:[1, 2] room/b.rs"],
        );
    }

    #[test]
    fn a_reexport_that_its_file_uses_itself_is_an_arrow() {
        check(
            &[
                ("lib.rs", "pub mod room;"),
                ("room/mod.rs", "mod a; pub use self::a::A;\npub struct R(A);"),
                ("room/a.rs", "pub struct A; fn f(_: super::R) {}"),
            ],
            &["room/a.rs:[1] room/mod.rs", "room/mod.rs:[2] room/a.rs"],
        );
    }

    #[test]
    fn a_module_that_was_imported_is_no_arrow_but_what_is_named_through_it() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b;\nuse crate::b as c;\nfn f() { c::deep::g(); }"),
                ("b.rs", "pub mod deep;"),
                ("b/deep.rs", "pub fn g() {}"),
            ],
            &["a.rs:[3] b/deep.rs"],
        );
    }

    #[test]
    fn tests_and_other_crates_are_no_arrows() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                (
                    "a.rs",
                    "use std::b::X;\n#[cfg(test)] mod tests { use crate::b::X; }\n\
                     #[cfg(test)] use crate::b::X;\nimpl Y { #[cfg(test)] fn f() { crate::b::g() } }",
                ),
                ("b.rs", "pub struct X;"),
            ],
            &[],
        );
    }

    #[test]
    fn a_crate_that_the_root_reexports_is_no_arrow() {
        check(
            &[
                ("lib.rs", "mod a; pub use other_crate as event; pub use other_crate::deep;"),
                ("a.rs", "use crate::event::X; use crate::deep::{Y, Z}; fn f() { crate::event::g() }"),
            ],
            &[],
        );
    }

    #[test]
    fn a_name_made_by_a_macro_belongs_to_its_module() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "fn f() { let x = crate::b::Made { y: 1 }; use crate::{b::{Other}}; }"),
                ("b.rs", "made! { Made, Other }"),
            ],
            &["a.rs:[1] b.rs"],
        );
    }
}
