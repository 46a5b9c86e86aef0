//! Ten seconds of storm, at whatever pace the machine can make, with the agent's default settings: nothing is lost, and the
//! counters of the agent are those of the file.
//!
//! `COLLECTOR_FLOOD_SECONDS=60` makes it last a minute.

use std::{
    collections::BTreeMap,
    env,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use collector_tests::{
    file_agent::FileAgent,
    live::{is_emulated, live_test},
};
use memchr::memmem;
use serde_json::Value;

use crate::programs::LOAD;

/// The marks in the last argument of a process of `load`.
const MARK: &[u8] = b"\"load-";

const MARK_END: &[u8] = b"-whole\"";

/// What is in the stream.
#[derive(Default)]
struct Seen {
    /// Records of each action.
    written: BTreeMap<String, u64>,
    /// How often each number was reported as an exec, and as an exit.
    execs: Vec<u32>,
    exits: Vec<u32>,
    last: Vec<u8>,
}

impl Seen {
    /// A line is searched and not parsed: what a debug build parses in a second, the agent writes in a tenth of it.
    fn take(&mut self, line: &[u8]) {
        let lines: u64 = self.written.values().sum();
        assert_eq!(number_behind(line, b"\"sequence\":"), Some(lines + 1), "a hole in the stream");
        let action = text_behind(line, b"\"action\":\"");
        match action.as_str() {
            "exec" => count(&mut self.execs, line),
            "exit" => count(&mut self.exits, line),
            "loss" => panic!("something was lost: {}", String::from_utf8_lossy(line)),
            _ => (),
        }
        *self.written.entry(action).or_default() += 1;
        self.last.clear();
        self.last.extend_from_slice(line);
    }

    /// `agent-stop` was the last, and what it counts adds up and is what was read.
    fn check_counters(&self) {
        let stop: Value = str::from_utf8(&self.last).unwrap().parse().unwrap();
        assert_eq!(stop.pointer("/event/action").unwrap(), "agent-stop");
        let counters = stop.pointer("/counters").and_then(Value::as_object).unwrap();
        assert!(self.written.keys().all(|action| counters.contains_key(action)), "{stop}");
        for (action, of) in counters {
            let number = |name| of.get(name).and_then(Value::as_u64).unwrap();
            let accounted = number("written") + number("filtered") + number("lost");
            assert_eq!(number("seen"), accounted, "{action}: {of}");
            assert_eq!(number("lost"), 0, "{action}: {of}");
            let read = self.written.get(action).copied().unwrap_or(0);
            assert_eq!(number("written"), read, "{action}: {of}");
        }
    }
}

fn count(reported: &mut Vec<u32>, line: &[u8]) {
    let Some(begin) = memmem::find(line, MARK) else { return };
    let Some(number) = number_behind(line.get(begin..).unwrap(), MARK) else { return };
    assert!(memmem::find(line, MARK_END).is_some(), "an argument was cut");
    let index = usize::try_from(number).unwrap();
    if reported.len() <= index {
        reported.resize(index + 1, 0);
    }
    if let Some(times) = reported.get_mut(index) {
        *times += 1;
    }
}

fn behind<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    line.get(memmem::find(line, name)? + name.len()..)
}

fn number_behind(line: &[u8], name: &[u8]) -> Option<u64> {
    let digits = behind(line, name)?;
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(digits.get(..len)?).ok()?.parse().ok()
}

fn text_behind(line: &[u8], name: &[u8]) -> String {
    let text = behind(line, name).unwrap_or_default();
    String::from_utf8_lossy(text.split(|&byte| byte == b'"').next().unwrap_or_default()).into_owned()
}

fn seconds() -> u64 {
    let asked = env::var("COLLECTOR_FLOOD_SECONDS").map(|seconds| seconds.parse().unwrap());
    asked.unwrap_or(if is_emulated() { 2 } else { 10 })
}

#[live_test(alone)]
fn ten_seconds_of_storm_lose_nothing_and_what_was_seen_is_what_was_written() {
    let mut agent = FileAgent::start(&[]);
    let (mut stream, mut seen) = (agent.follow(), Seen::default());
    let mut load = Command::new(LOAD)
        .args(["execs", &format!("{}s", seconds()), "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    while load.try_wait().unwrap().is_none() {
        stream.catch_up(|line| seen.take(line));
        thread::sleep(Duration::from_millis(20));
    }
    let said = load.wait_with_output().unwrap().stdout;
    let made = number_behind(&said, b"made ").unwrap();
    agent.catch_up();
    agent.end();
    stream.catch_up(|line| seen.take(line));
    eprintln!("{made} processes in {} s, {:?} written", seconds(), seen.written);
    assert!(made > 100 * seconds(), "{made} processes are no storm");
    for (what, reported) in [("exec", &seen.execs), ("exit", &seen.exits)] {
        let once = reported.iter().filter(|&&times| times == 1).count();
        let more = reported.iter().filter(|&&times| times > 1).count();
        assert_eq!(
            (u64::try_from(once).unwrap(), more),
            (made, 0),
            "{what}: reported once, and more than once"
        );
    }
    seen.check_counters();
}
