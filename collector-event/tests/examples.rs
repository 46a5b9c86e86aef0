//! The examples run, over recorded events.

#![expect(clippy::unwrap_used, reason = "a test fails where anything is missing")]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// An example of this package. `cargo test` builds it; `cargo test --test examples` alone does not.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let example = profile.join("examples").join(name);
    assert!(example.exists(), "{} is missing: run `cargo test -p collector-event`", example.display());
    example
}

#[track_caller]
fn check(fixture: &str, expected: &[&str]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(fixture);
    let output = Command::new(example("failed_connects")).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn failed_connects_prints_those_of_a_recorded_stream_and_no_others() {
    check(
        "connect-tcp-6.18-2026-11-23.golden.jsonl",
        &[
            "perl → 127.0.0.1 port 1: ECONNREFUSED",
            "perl → ::1 port 1: ECONNREFUSED",
            "perl → 127.0.0.1 port 1: ECONNREFUSED",
        ],
    );
    check("connect-tcp-given-up-6.18-2026-11-23.golden.jsonl", &["perl → 127.0.0.1 port 39727: given up"]);
    check("connect-udp-6.18-2026-11-23.golden.jsonl", &[]);
}

#[test]
fn failed_connects_without_a_file_says_how_it_is_used() {
    let output = Command::new(example("failed_connects")).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: failed_connects FILE"));
}
