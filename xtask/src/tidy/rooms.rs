//! A room names only the rooms before it in the list. A room is a file or a folder right below `src`.

use std::path::Path;

use crate::tidy::accepted::{Accepted, arrow};
use crate::tidy::arrows::Arrows;

/// One message for each arrow to a later room, for each room that the list lacks or has without need, and for each
/// accepted arrow that is in order or gone.
pub(super) fn faults(arrows: &Arrows, src: &Path, rooms: &[&str], accepted: &[Accepted]) -> Vec<String> {
    let accepted: Vec<_> = accepted.iter().map(|one| arrow(src, one)).collect();
    let mut faults = Vec::new();
    let mut disorder = Vec::new();
    for ((from, to), lines) in arrows {
        let (Some(from_room), Some(to_room)) = (room(from, src), room(to, src)) else { continue };
        let rank = |name: &str| rooms.iter().position(|room| *room == name);
        match (rank(from_room), rank(to_room)) {
            (Some(from_rank), Some(to_rank)) if from_rank < to_rank => {
                disorder.push((from, to));
                if !accepted.iter().any(|(a, b)| (a, b) == (from, to)) {
                    let line = lines.first().copied().unwrap_or_default();
                    let from = from.display();
                    faults.push(format!("{from}:{line}: room `{from_room}` names `{to_room}`, a later room"));
                }
            }
            (Some(_), Some(_)) => {}
            (None, _) => faults.push(format!("room `{from_room}` is not in the list of tidy/accepted.rs")),
            (_, None) => faults.push(format!("room `{to_room}` is not in the list of tidy/accepted.rs")),
        }
    }
    let used = arrows.keys().flat_map(|(from, to)| [from, to]).filter_map(|file| room(file, src));
    let used: Vec<_> = used.collect();
    let unused = rooms.iter().filter(|name| !used.contains(name));
    faults.extend(
        unused.map(|name| format!("room `{name}` is in the list of tidy/accepted.rs, but nowhere else")),
    );
    let gone = accepted.iter().filter(|(from, to)| !disorder.contains(&(from, to)));
    faults.extend(gone.map(|(from, to)| {
        format!("{} -> {} is in order now: remove it from tidy/accepted.rs", from.display(), to.display())
    }));
    faults.sort();
    faults.dedup();
    faults
}

fn room<'a>(file: &'a Path, src: &Path) -> Option<&'a str> {
    let first = file.strip_prefix(src).ok()?.components().next()?;
    Path::new(first.as_os_str()).file_stem()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::arrows::tests::arrows_of;

    #[track_caller]
    fn check(rooms: &[&str], accepted: &[Accepted], expected: &[&str]) {
        let files = [
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "use crate::b::deep::X;\npub struct A;"),
            ("src/b/mod.rs", "pub mod deep;"),
            ("src/b/deep.rs", "pub struct X;"),
        ];
        assert_eq!(faults(&arrows_of(&files), Path::new("src"), rooms, accepted), expected);
    }

    #[test]
    fn a_room_names_only_rooms_before_it() {
        check(&["b", "a"], &[], &[]);
        check(&["a", "b"], &[], &["src/a.rs:1: room `a` names `b`, a later room"]);
    }

    #[test]
    fn an_exception_holds_only_while_it_is_needed() {
        let accepted = [("a.rs", "b/deep.rs", "r")];
        check(&["a", "b"], &accepted, &[]);
        let gone = "src/a.rs -> src/b/deep.rs is in order now: remove it from tidy/accepted.rs";
        check(&["b", "a"], &accepted, &[gone]);
    }

    #[test]
    fn the_list_has_each_room_and_no_other() {
        check(&["b"], &[], &["room `a` is not in the list of tidy/accepted.rs"]);
        check(&["b", "a", "c"], &[], &["room `c` is in the list of tidy/accepted.rs, but nowhere else"]);
    }
}
