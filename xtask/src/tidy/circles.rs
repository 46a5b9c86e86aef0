//! No files of a crate may name each other in a circle, so that each can be read and changed without those that use it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tidy::accepted::{Accepted, arrow};
use crate::tidy::arrows::Arrows;

/// One message for each circle, and for each accepted arrow that is in none any more.
pub(super) fn faults(arrows: &Arrows, src: &Path, accepted: &[Accepted]) -> Vec<String> {
    let accepted: Vec<_> = accepted.iter().map(|one| arrow(src, one)).collect();
    let all: Vec<_> = arrows.keys().map(|(from, to)| (from.as_path(), to.as_path())).collect();
    let in_circles: BTreeSet<_> = groups(&all).into_iter().flat_map(|group| inside(&group, &all)).collect();
    let left: Vec<_> = all
        .iter()
        .copied()
        .filter(|arrow| !accepted.iter().any(|(from, to)| (&**from, &**to) == *arrow))
        .collect();
    let circles = groups(&left).into_iter().map(|group| message(&inside(&group, &left), arrows));
    let gone = accepted.iter().filter(|(from, to)| !in_circles.contains(&(&**from, &**to)));
    let gone = gone.map(|(from, to)| {
        let (from, to) = (from.display(), to.display());
        format!("{from} -> {to} is in no circle any more: remove it from tidy/accepted.rs")
    });
    circles.chain(gone).collect()
}

fn message(circle: &[(&Path, &Path)], arrows: &Arrows) -> String {
    let lines_of = |from: &Path, to: &Path| {
        let lines = arrows.get(&(from.to_path_buf(), to.to_path_buf())).into_iter().flatten();
        lines.map(usize::to_string).collect::<Vec<_>>().join(",")
    };
    let arrows = circle
        .iter()
        .map(|(from, to)| format!("  {}:{} -> {}", from.display(), lines_of(from, to), to.display()));
    let first = "these files name each other in a circle:".to_owned();
    [first].into_iter().chain(arrows).collect::<Vec<_>>().join("\n")
}

/// The arrows between two files of `group`.
fn inside<'a>(group: &BTreeSet<&Path>, arrows: &[(&'a Path, &'a Path)]) -> Vec<(&'a Path, &'a Path)> {
    arrows.iter().copied().filter(|(from, to)| group.contains(from) && group.contains(to)).collect()
}

/// The groups of files in which each reaches each other. There are some hundred files: no need for Tarjan.
fn groups<'a>(arrows: &[(&'a Path, &'a Path)]) -> Vec<BTreeSet<&'a Path>> {
    let mut next: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        next.keys().map(|from| (*from, reached_from(from, &next))).collect();
    let reaches = |from: &Path, to: &Path| reached.get(from).is_some_and(|all| all.contains(to));
    let groups = reached.keys().filter(|file| reaches(file, file)).map(|file| {
        let files = reached.get(file).into_iter().flatten().copied();
        files.filter(|other| reaches(other, file)).collect::<BTreeSet<_>>()
    });
    groups.collect::<BTreeSet<_>>().into_iter().collect()
}

fn reached_from<'a>(start: &Path, next: &BTreeMap<&'a Path, Vec<&'a Path>>) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for to in next.get(file).into_iter().flatten() {
            if reached.insert(*to) {
                open.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::arrows::tests::arrows_of;

    const CIRCLE: &[(&str, &str)] = &[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B;\n\npub struct A(crate::d::D);"),
        ("b.rs", "\nuse crate::c::C;\npub struct B;"),
        ("c.rs", "use crate::a::A;\npub struct C;"),
        ("d.rs", "pub struct D;"),
    ];

    #[track_caller]
    fn check(files: &[(&str, &str)], accepted: &[Accepted], expected: &[&str]) {
        assert_eq!(faults(&arrows_of(files), Path::new(""), accepted), expected);
    }

    #[test]
    fn a_circle_is_reported_with_its_files_and_lines_alone() {
        let circle = "these files name each other in a circle:\
                      \n  a.rs:1 -> b.rs\n  b.rs:2 -> c.rs\n  c.rs:1 -> a.rs";
        check(CIRCLE, &[], &[circle]);
    }

    #[test]
    fn an_accepted_arrow_opens_its_circle() {
        check(CIRCLE, &[("b.rs", "c.rs", "r")], &[]);
    }

    #[test]
    fn an_accepted_arrow_that_is_in_no_circle_is_a_fault() {
        let gone = "a.rs -> d.rs is in no circle any more: remove it from tidy/accepted.rs";
        let accepted = [("b.rs", "c.rs", "r"), ("a.rs", "d.rs", "r")];
        check(CIRCLE, &accepted, &[gone]);
    }

    #[test]
    fn a_parent_that_declares_and_reexports_is_in_no_circle() {
        let files = [
            ("lib.rs", "mod room;"),
            ("room/mod.rs", "mod a; mod b; pub use self::{a::A, b::B};"),
            ("room/a.rs", "pub struct A(super::B);"),
            ("room/b.rs", "pub struct B;"),
        ];
        check(&files, &[], &[]);
    }
}
