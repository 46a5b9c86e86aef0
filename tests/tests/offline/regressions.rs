//! docs/REGRESSIONS.md names tests that exist.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The rows that the page must have.
const ROWS: std::ops::RangeInclusive<u32> = 1..=24;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn page() -> PathBuf {
    workspace().join("docs/REGRESSIONS.md")
}

/// The names of the tests in all files below a directory.
fn tests_below(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(tests_in(&fs::read_to_string(path).unwrap()));
        }
    }
}

/// The functions that follow `#[test]` or `#[live_test]`, with nothing but other attributes and comments between.
fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_marked = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" || line == "#[live_test]" || line.starts_with("#[live_test(") {
            is_marked = true;
        } else if !(line.starts_with("#[") || line.starts_with("//")) {
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            names.extend(name.filter(|_| is_marked).map(str::to_owned));
            is_marked = false;
        }
    }
    names
}

/// The rows of the page: the number, and the names of its tests.
fn rows() -> Vec<(u32, Vec<String>)> {
    let page = fs::read_to_string(page()).unwrap();
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
    for directory in
        ["tests/tests", "tests/src", "collector/src", "collector-event/src", "collector-stream/src"]
    {
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

/// The harness runs all tests that are found in the sources, so a row cannot name a test that never runs.
#[test]
fn the_tests_in_the_sources_are_those_that_run() {
    let mut in_sources = BTreeSet::new();
    tests_below(&workspace().join("tests/tests/offline"), &mut in_sources);
    let list =
        Command::new(env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let listed = list.lines().filter_map(|line| line.strip_suffix(": test")?.rsplit("::").next());
    assert_eq!(in_sources, listed.map(str::to_owned).collect());
}
