//! Makes processes or connections at a known pace, and says how many there were and how long it took: the load of
//! `cargo xtask bench` and of the storm that loses nothing.
//!
//! | arguments | |
//! |---|---|
//! | `execs COUNT RATE` | processes of a tiny static image by two parents, RATE a second in all; 0: as fast as they can. A COUNT of `10s` is as many as come in that time |
//! | `bursts SECONDS` | 1,250 processes within 100 ms at the beginning of each second, by two parents |
//! | `connects COUNT` | TCP connections over loopback by two threads, each accepted and closed at once |
//! | `part FIRST COUNT PACE IMAGE` | one parent, which makes each second number, and says how many there were |
//!
//! The last argument of a process is `load-NUMBER-whole`, so that a tool that reports it has reported all of them. At the end
//! comes a line `made COUNT in NANOSECONDS ns`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program of the tests says what went wrong by a panic, and its parent reads stdout"
)]

use std::{
    env,
    ffi::CString,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    ptr, thread,
    time::{Duration, Instant},
};

use collector_tests::workload::tiny;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

/// Numbers of parents, and of threads that connect: a machine of two cores is full then.
const PARENTS: u32 = 2;
/// Processes in a burst, of one parent.
const BURST: u32 = 625;
/// Between two processes of a burst: 625 of them take 100 ms.
const BURST_GAP: Duration = Duration::from_micros(160);

/// When the process of a number is due, from the beginning on.
#[derive(Clone, Copy)]
enum Pace {
    AtOnce,
    /// So many a second.
    Rate(u32),
    Bursts,
}

impl Pace {
    fn from_word(word: &str) -> Self {
        match word {
            "0" => Self::AtOnce,
            "bursts" => Self::Bursts,
            rate => Self::Rate(rate.parse().unwrap()),
        }
    }

    fn due(self, index: u32) -> Duration {
        match self {
            Self::AtOnce => Duration::ZERO,
            Self::Rate(rate) => Duration::from_secs(1) * index / rate,
            Self::Bursts => Duration::from_secs(u64::from(index / BURST)) + BURST_GAP * (index % BURST),
        }
    }
}

/// When a parent has made enough.
#[derive(Clone, Copy)]
enum Enough {
    Count(u32),
    Time(Duration),
}

impl Enough {
    fn from_word(word: &str) -> Self {
        match word.strip_suffix('s') {
            Some(seconds) => Self::Time(Duration::from_secs(seconds.parse().unwrap())),
            None => Self::Count(word.parse().unwrap()),
        }
    }

    /// What one of the parents has to do of it.
    fn share(self) -> String {
        match self {
            Self::Count(count) => (count / PARENTS).to_string(),
            Self::Time(time) => format!("{}s", time.as_secs()),
        }
    }

    fn is_reached(self, made: u32, begin: Instant) -> bool {
        match self {
            Self::Count(count) => made == count,
            Self::Time(time) => begin.elapsed() >= time,
        }
    }
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["execs", count, rate] => {
            let rate: u32 = rate.parse().unwrap();
            // A pace so slow that a parent would make no process is rounded up to one a second.
            let pace = if rate == 0 { 0 } else { (rate / PARENTS).max(1) };
            by_two_parents(Enough::from_word(count), &pace.to_string());
        }
        ["bursts", seconds] => {
            let count = seconds.parse::<u32>().unwrap() * BURST * PARENTS;
            by_two_parents(Enough::Count(count), "bursts");
        }
        ["connects", count] => connects(count.parse().unwrap()),
        ["part", first, count, pace, image] => {
            let (first, enough) = (first.parse().unwrap(), Enough::from_word(count));
            println!("{}", part(first, enough, Pace::from_word(pace), Path::new(image)));
        }
        _ => panic!("wrong usage; the table at the top of tests/src/bin/load.rs shows what can be asked"),
    }
}

fn by_two_parents(enough: Enough, pace: &str) {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("tiny");
    tiny::write(&image, &tiny::image("load"));
    let begin = Instant::now();
    let parents: Vec<Child> = (0..PARENTS)
        .map(|first| {
            let words = [first.to_string(), enough.share(), pace.to_owned()];
            let mut parent = Command::new(env::current_exe().unwrap());
            parent.arg("part").args(words).arg(&image).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let made = parents.into_iter().map(|parent| {
        let output = parent.wait_with_output().unwrap();
        assert!(output.status.success(), "a parent did not come to its end");
        str::from_utf8(&output.stdout).unwrap().trim().parse::<u32>().unwrap()
    });
    say(made.sum(), begin);
}

fn say(made: u32, begin: Instant) {
    println!("made {made} in {} ns", begin.elapsed().as_nanos());
}

/// Numbers `first`, `first + 2` … one after the other, each waited for. Answers with how many there were.
fn part(first: u32, enough: Enough, pace: Pace, image: &Path) -> u32 {
    let image = CString::new(image.to_str().unwrap()).unwrap();
    let begin = Instant::now();
    let mut made = 0;
    while !enough.is_reached(made, begin) {
        let early = pace.due(made).saturating_sub(begin.elapsed());
        if !early.is_zero() {
            thread::sleep(early);
        }
        spawn_and_wait(&image, first + made * PARENTS);
        made += 1;
    }
    made
}

/// `posix_spawn(3)`, which is vfork and exec: the cheapest way, so that the load weighs least beside the tool.
fn spawn_and_wait(image: &CString, number: u32) {
    let words = ["tiny", "0", "--of", "the load", "with arguments", &format!("load-{number:08}-whole")];
    let words = words.map(|word| CString::new(word).unwrap());
    let mut argv: Vec<_> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
    argv.push(ptr::null_mut());
    let mut environment = vec![c"PATH=/usr/bin:/bin".as_ptr().cast_mut(), c"LANG=C".as_ptr().cast_mut()];
    environment.push(ptr::null_mut());
    let (mut pid, mut status) = (0, 0);
    // SAFETY: the path and both vectors are NUL-terminated strings, the vectors end in a null pointer, and all of them
    // outlive the call.
    let failed = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            image.as_ptr(),
            ptr::null(),
            ptr::null(),
            argv.as_ptr(),
            environment.as_ptr(),
        )
    };
    assert_eq!(failed, 0, "posix_spawn");
    // SAFETY: the status is a place for an int.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0), "the end of process {number}");
}

fn connects(count: u32) {
    let share = count / PARENTS;
    let begin = Instant::now();
    let threads: Vec<_> = (0..PARENTS).map(|_| thread::spawn(move || connect_and_accept(share))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    say(share * PARENTS, begin);
}

/// One thread does both, so that the queue of the listener never fills up.
fn connect_and_accept(count: u32) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    for _ in 0..count {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        // Nothing is left of it, in TIME_WAIT, or the ports would run out.
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
        connect(&socket, &address).unwrap();
        drop(socket);
        drop(listener.accept().unwrap());
    }
}
