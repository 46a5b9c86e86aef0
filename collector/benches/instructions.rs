//! Runs one path of the agent a given number of times, so that `cargo xtask bench instructions` can count its instructions.
//!
//! `instructions PATH TIMES`; without arguments it prints the paths, one a line. Set-up and teardown are the
//! same for any TIMES (at most 1,000), so the difference of two runs is the path alone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark says what went wrong by a panic, and its paths on stdout"
)]

mod common;

use std::{env, hint::black_box, sync::Arc};

use collector::{
    decode::decode,
    procfs::split_nul,
    source::OwnedRecord,
    stream::format::{Encoding, encode},
};
use common::{
    environ,
    known::Known,
    line::{COMPACT, JSON, Run, an_exec},
    records,
};

const MOST: u32 = 1_000;

/// Runs its path this many times.
type Path = fn(u32);

const PATHS: &[(&str, Path)] = &[
    ("decode", decoded),
    ("execs", |times| through_pipeline(records::execs, times)),
    ("lives", |times| through_pipeline(records::lives, times)),
    ("encode-json", |times| encoded(JSON, times)),
    ("encode-compact", |times| encoded(COMPACT, times)),
    ("split-env", split),
    ("known-ancestor", ancestors),
];

fn main() {
    // `cargo bench` passes a flag.
    let args: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match args.as_slice() {
        [] => PATHS.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] => {
            let times = times.parse().unwrap();
            assert!(times <= MOST, "at most {MOST} times");
            let path = PATHS.iter().find(|(known, _)| known == name);
            let Some((_, path)) = path else { panic!("no path {name}") };
            path(times);
        }
        _ => panic!("usage: instructions [PATH TIMES]"),
    }
}

fn decoded(times: u32) {
    let record = records::compiler(7);
    for _ in 0..times {
        assert!(decode(black_box(record.bytes())).is_ok());
    }
}

/// The records of `times` processes, from decoding to lines.
fn through_pipeline(make: fn(u32) -> Vec<OwnedRecord>, times: u32) {
    let mut all = make(MOST);
    let each = all.len() / usize::try_from(MOST).unwrap();
    all.truncate(each * usize::try_from(times).unwrap());
    let records = Arc::new(records::above().into_iter().chain(all).collect::<Vec<_>>());
    assert!(Run::new(records).run() > 0);
}

fn encoded(encoding: Encoding, times: u32) {
    let event = an_exec();
    let mut line = Vec::with_capacity(16 << 10);
    for _ in 0..times {
        line.clear();
        encode(black_box(&event), encoding, &mut line);
    }
    black_box(line);
}

fn split(times: u32) {
    let bytes = environ::variables().flat_map(|(name, value)| format!("{name}={value}\0").into_bytes());
    let bytes: Vec<u8> = bytes.collect();
    assert_eq!(bytes.len(), environ::LEN);
    for _ in 0..times {
        assert_eq!(split_nul(black_box(&bytes)).count(), environ::VARIABLES);
    }
}

fn ancestors(times: u32) {
    let mut known = Known::new();
    (0..times).for_each(|number| assert!(black_box(known.ask(number)).0.is_some()));
}
