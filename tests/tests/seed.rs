//! docs/SEED-TESTS.md names tests that exist.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by a panic")]

use std::{collections::BTreeSet, fs, path::Path};

/// The rows that the page must have.
const ROWS: std::ops::RangeInclusive<u32> = 1..=24;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The names of the functions that follow `#[test]` in all files below a directory.
fn tests_below(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let behind = text.split("#[test]").skip(1);
            let named = behind.filter_map(|text| text.split_once("fn ")?.1.split('(').next());
            found.extend(named.map(str::to_owned));
        }
    }
}

/// The rows of the page: the number, and the names of its tests.
fn rows() -> Vec<(u32, Vec<String>)> {
    let page = fs::read_to_string(workspace().join("docs/SEED-TESTS.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let names = cells.last()?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((cells.first()?.trim().parse().ok()?, names))
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn every_row_has_tests_and_each_of_them_exists() {
    let mut exist = BTreeSet::new();
    for directory in ["tests/tests", "tests/src", "collector/src"] {
        tests_below(&workspace().join(directory), &mut exist);
    }
    let rows = rows();
    assert!(rows.iter().map(|(row, _)| *row).eq(ROWS));
    for (row, names) in &rows {
        assert!(!names.is_empty(), "row {row} has no test");
        for name in names {
            assert!(exist.contains(name), "row {row}: there is no test {name}");
        }
    }
}
