//! The functions of the hot path, each with its floor in the same group: `cargo xtask bench functions`.
//!
//! The floor of a read of /proc is what every reader needs: open, one read, close, into a buffer that is reused. At the end
//! the allocations of each function are counted, once it has its buffers: `allocations GROUP COUNT`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark says what went wrong by a panic, and what it counted on stdout"
)]

mod common;

use std::{
    hint::black_box,
    os::fd::OwnedFd,
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use collector::{
    decode::decode,
    procfs::{Proc, ProcFile, ProcLink, ProcessDir, Stat, split_nul},
    stream::format::encode,
};
use common::{
    environ,
    known::Known,
    line::{COMPACT, JSON, Run, an_exec},
    records,
};
use criterion::{BatchSize, Criterion, Throughput};
use rustix::fs::{Mode, OFlags, open, openat, readlinkat_raw};

/// Processes of one run through the pipeline.
const PROCESSES: u32 = 4_000;

fn main() {
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_millis(500))
        .configure_from_args();
    pipeline(&mut criterion);
    records_alone(&mut criterion);
    known_ancestor(&mut criterion);
    let subject = Subject::start();
    proc_files(&mut criterion, &subject);
    criterion.final_summary();
    count_allocations(&subject);
}

/// From recorded bytes to lines.
fn pipeline(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(20).throughput(Throughput::Elements(PROCESSES.into()));
    let execs = Arc::new(records::above().into_iter().chain(records::execs(PROCESSES)).collect::<Vec<_>>());
    let lives = Arc::new(records::above().into_iter().chain(records::lives(PROCESSES)).collect::<Vec<_>>());
    for (name, records) in [("execs", execs), ("lives", lives)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| Run::new(records.clone()), Run::run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn records_alone(criterion: &mut Criterion) {
    let record = records::compiler(7);
    criterion.bench_function("decode/exec", |bencher| {
        bencher.iter(|| decode(black_box(record.bytes())).map(|record| record.time_ns()));
    });
    let event = an_exec();
    let mut line = Vec::with_capacity(16 << 10);
    for (name, encoding) in [("encode/exec", JSON), ("encode/compact", COMPACT)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                line.clear();
                encode(black_box(&event), encoding, &mut line);
                line.len()
            });
        });
    }
}

/// A lookup of a parent and its ancestors.
fn known_ancestor(criterion: &mut Criterion) {
    let mut known = Known::new();
    let mut number = 0;
    criterion.bench_function("ancestor/known", |bencher| {
        bencher.iter(|| {
            number += 1;
            known.ask(number)
        });
    });
}

/// A process whose /proc is read.
struct Subject {
    child: Child,
    process: ProcessDir,
    directory: OwnedFd,
}

impl Subject {
    fn start() -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").env_clear().envs(environ::variables());
        let child = command.spawn().unwrap();
        let process = Proc::live().unwrap().process(child.id(), None).unwrap();
        let path = format!("/proc/{}", child.id());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(path.as_str(), flags, Mode::empty()).unwrap();
        let subject = Self { child, process, directory };
        let mut environ = Vec::new();
        // Before its exec it has the environment of this process.
        while environ.len() != environ::LEN {
            subject.read(ProcFile::Environ, &mut environ);
        }
        subject
    }

    fn read(&self, file: ProcFile, buffer: &mut Vec<u8>) -> usize {
        self.process.read_into(file, buffer, 1 << 20).unwrap();
        buffer.len()
    }

    /// Open, one read, close.
    fn floor(&self, file: ProcFile, buffer: &mut [u8]) -> usize {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = openat(&self.directory, file.name(), flags, Mode::empty()).unwrap();
        rustix::io::read(&fd, buffer).unwrap()
    }

    fn variables(&self, buffer: &mut Vec<u8>) -> usize {
        self.read(ProcFile::Environ, buffer);
        split_nul(buffer).count()
    }

    fn arguments(&self, buffer: &mut Vec<u8>) -> usize {
        self.read(ProcFile::Cmdline, buffer);
        split_nul(buffer).count()
    }

    fn parent_pid(&self, buffer: &mut Vec<u8>) -> Option<u32> {
        self.read(ProcFile::Stat, buffer);
        Stat::parse(buffer).map(|stat| stat.ppid)
    }

    fn path(&self) -> Vec<u8> {
        self.process.link(ProcLink::Exe).unwrap()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It only sleeps.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn proc_files(criterion: &mut Criterion, subject: &Subject) {
    let mut ours = Vec::with_capacity(8192);
    let mut floor = vec![0; 8192];
    let files = [
        ("env", ProcFile::Environ),
        ("cmdline", ProcFile::Cmdline),
        ("parent", ProcFile::Stat),
        ("statm", ProcFile::Statm),
        ("io", ProcFile::Io),
    ];
    for (name, file) in files {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("floor", |bencher| bencher.iter(|| subject.floor(file, &mut floor)));
        group.bench_function("ours", |bencher| bencher.iter(|| read_whole(subject, file, &mut ours)));
        group.finish();
    }
    let mut group = criterion.benchmark_group("path");
    group.bench_function("floor", |bencher| {
        bencher.iter(|| readlinkat_raw(&subject.directory, "exe", &mut floor[..]).unwrap());
    });
    group.bench_function("ours", |bencher| bencher.iter(|| subject.path().len()));
    group.finish();
}

/// As the agent does it: read and split into variables.
fn read_whole(subject: &Subject, file: ProcFile, buffer: &mut Vec<u8>) -> usize {
    match file {
        ProcFile::Environ => subject.variables(buffer),
        ProcFile::Cmdline => subject.arguments(buffer),
        ProcFile::Stat => subject.parent_pid(buffer).map_or(0, |_| 1),
        other => subject.read(other, buffer),
    }
}

fn count_allocations(subject: &Subject) {
    let mut buffer = Vec::with_capacity(8192);
    assert_eq!(subject.variables(&mut buffer), environ::VARIABLES);
    let of = |what: &str, act: &mut dyn FnMut()| {
        let counted = allocation_counter::measure(act);
        println!("allocations {what} {}", counted.count_total);
    };
    let record = records::compiler(7);
    let mut line = Vec::with_capacity(16 << 10);
    let event = an_exec();
    of("decode", &mut || assert!(decode(record.bytes()).is_ok()));
    of("encode", &mut || encode(&event, JSON, &mut line));
    of("compact", &mut || encode(&event, COMPACT, &mut line));
    of("env", &mut || assert_eq!(subject.variables(&mut buffer), environ::VARIABLES));
    of("cmdline", &mut || assert!(subject.arguments(&mut buffer) > 0));
    of("parent", &mut || assert!(subject.parent_pid(&mut buffer).is_some()));
    of("statm", &mut || assert!(subject.read(ProcFile::Statm, &mut buffer) > 0));
    of("io", &mut || assert!(subject.read(ProcFile::Io, &mut buffer) > 0));
    of("path", &mut || assert!(!subject.path().is_empty()));
    let lives =
        |count| Arc::new(records::above().into_iter().chain(records::lives(count)).collect::<Vec<_>>());
    let allocations = |count| {
        let run = Run::new(lives(count));
        allocation_counter::measure(|| assert!(run.run() > 0)).count_total
    };
    // The difference excludes the cost of the first process.
    let each = (allocations(2 * PROCESSES) - allocations(PROCESSES)) * 10 / u64::from(PROCESSES);
    println!("allocations lives {}.{}", each / 10, each % 10);
}
