//! Runs one path of the agent a given number of times, so that `cargo xtask bench instructions` can count its instructions.
//!
//! `instructions PATH TIMES`; without arguments it prints the paths, one a line. Set-up and teardown are the
//! same for any TIMES (at most 1,000), so the difference of two runs is the path alone.
//!
//! The path `outputs-N` is not printed: it is `lives` with N outputs, of which only the instructions of the main thread count.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark says what went wrong by a panic, and its paths on stdout"
)]

mod common;

use std::{
    env,
    hint::black_box,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use collector::{
    decode::decode,
    pipeline::{
        channel::{Items, channel},
        handoff::Batches,
    },
    procfs::split_nul,
    source::OwnedRecord,
    stream::{
        batch::{Batch, BatchBuilder},
        format::{CompactOptions, Encoding, TimeZone, Width, encode},
        output::{Ending, Fanout, OutputConfig, Style, open},
    },
    wake_event::WakeEvent,
};
use common::{
    environ,
    known::Known,
    line::{COMPACT, JSON, Run, an_exec, pipeline, run},
    records,
};

const MOST: u32 = 1_000;

/// More batches than [`MOST`] lives fill, so that the pipeline never waits for the fan-out: it would count what it does meanwhile.
const BATCHES: usize = 256;

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
            if let Some(outputs) = name.strip_prefix("outputs-") {
                return to_outputs(outputs.parse().unwrap(), times);
            }
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
    assert!(Run::new(of_processes(make, times)).run() > 0);
}

/// The records of `times` processes, after those of their ancestors.
fn of_processes(make: fn(u32) -> Vec<OwnedRecord>, times: u32) -> Arc<Vec<OwnedRecord>> {
    let mut all = make(MOST);
    let each = all.len() / usize::try_from(MOST).unwrap();
    all.truncate(each * usize::try_from(times).unwrap());
    Arc::new(records::above().into_iter().chain(all).collect::<Vec<_>>())
}

/// As [`through_pipeline`] for lives, and on to outputs as in the agent: a fan-out on one thread, each output on its own.
fn to_outputs(outputs: usize, times: u32) {
    let wake = WakeEvent::new().unwrap();
    let (slots, batches) = channel(BATCHES, wake.clone());
    let carrier = thread::spawn(move || carry(batches, outputs));
    let handoff = Batches::new(slots, BatchBuilder::new(false));
    run(pipeline(of_processes(records::lives, times), Box::new(handoff), wake));
    let delivered = carrier.join().unwrap();
    assert!(delivered >= u64::from(2 * times), "only {delivered} events came through");
}

/// Gives batches to JSON outputs until the stream ends; returns how many events each of them delivered.
fn carry(mut batches: Items<Batch>, outputs: usize) -> u64 {
    let options =
        CompactOptions { width: Width::Unlimited, colour: false, header: false, zone: TimeZone::UTC };
    let style = Style::new(options.clone(), options);
    let config: OutputConfig = "file:/dev/null,format=json,buffer=64MiB".parse().unwrap();
    let opened = (0..outputs).map(|_| open(config.clone(), &style).unwrap()).collect();
    let fanout = Fanout::start(opened, || panic!("an output ended")).unwrap();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match batches.poll_next(&mut context) {
            Poll::Ready(Some(batch)) => fanout.offer(batch),
            Poll::Ready(None) => break,
            Poll::Pending => thread::park(),
        }
    }
    let reports = fanout.finish();
    assert!(reports.iter().all(|report| report.ending == Ending::Complete && report.counters.dropped == 0));
    reports.iter().map(|report| report.counters.delivered).min().unwrap()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
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
