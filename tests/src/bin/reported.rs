//! Reads what a tool reported of the processes that `load` made.
//!
//! | arguments | |
//! |---|---|
//! | `text COUNT FILE` | any tool's output: each process whose last argument stands in it is caught |
//! | `stream COUNT FILE` | the agent's: only an exec record counts, and the lag and the losses are read too |
//!
//! Says `caught N lost N lag-p50 NANOSECONDS lag-p99 NANOSECONDS`; lags are 0 where the output has none.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program of the tests says what went wrong by a panic, and its parent reads stdout"
)]

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader},
};

/// What stands around the number in the last argument of a process.
const MARK: (&[u8], &[u8]) = (b"load-", b"-whole");
const DIGITS: usize = 8;

/// What has been read so far.
struct Reported {
    /// By number: its last argument has been reported.
    caught: Vec<bool>,
    lost: u64,
    lags_ns: Vec<u64>,
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [format, count, file] = &args[..] else {
        panic!("wrong usage; the table at the top of tests/src/bin/reported.rs shows the arguments")
    };
    let mut reported = Reported { caught: vec![false; count.parse().unwrap()], lost: 0, lags_ns: Vec::new() };
    let read: fn(&mut Reported, &[u8]) = match format.as_str() {
        "text" => Reported::read_text,
        "stream" => Reported::read_record,
        other => panic!("no format {other:?}"),
    };
    let mut lines = BufReader::new(File::open(file).unwrap());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        read(&mut reported, &line);
        line.clear();
    }
    reported.say();
}

impl Reported {
    fn read_text(&mut self, line: &[u8]) {
        self.mark(line);
        // execsnoop and bpftrace: `Lost 42 events`, on stderr, which may stand in the middle of a line of stdout.
        for lost in [&b"Lost "[..], b"lost "] {
            let number = find(line, lost).and_then(|at| number_at(line, at + lost.len()));
            self.lost += number.unwrap_or(0);
        }
    }

    fn read_record(&mut self, line: &[u8]) {
        let says = |text: &str| find(line, text.as_bytes());
        if says("\"action\":\"exec\"").is_some() {
            self.mark(line);
        }
        if says("\"action\":\"agent-stop\"").is_some() {
            let lost = "\"lost\":";
            let text = String::from_utf8_lossy(line);
            self.lost +=
                text.match_indices(lost).filter_map(|(at, _)| number_at(line, at + lost.len())).sum::<u64>();
        } else if says("load-").is_some() {
            let lag = "\"lag_ns\":";
            self.lags_ns.extend(says(lag).and_then(|at| number_at(line, at + lag.len())));
        }
    }

    fn mark(&mut self, line: &[u8]) {
        let (before, behind) = MARK;
        let len = before.len() + DIGITS + behind.len();
        let mark = line.windows(len).find(|mark| mark.starts_with(before) && mark.ends_with(behind));
        let number = mark.and_then(|mark| number_at(mark, before.len()));
        if let Some(number) = number.and_then(|number| usize::try_from(number).ok())
            && let Some(caught) = self.caught.get_mut(number)
        {
            *caught = true;
        }
    }

    fn say(mut self) {
        let caught = self.caught.iter().filter(|&&caught| caught).count();
        self.lags_ns.sort_unstable();
        let lag = |percent: usize| {
            let at = self.lags_ns.len() * percent / 100;
            self.lags_ns.get(at).copied().unwrap_or(0)
        };
        println!("caught {caught} lost {} lag-p50 {} lag-p99 {}", self.lost, lag(50), lag(99));
    }
}

fn find(line: &[u8], text: &[u8]) -> Option<usize> {
    line.windows(text.len()).position(|window| window == text)
}

fn number_at(line: &[u8], at: usize) -> Option<u64> {
    let digits = line.get(at..)?;
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(&digits[..len]).ok()?.parse().ok()
}
