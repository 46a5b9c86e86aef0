//! What an output does at its opening, its closing and its limits, by replays: none of this needs root.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::{fd::AsFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use collector_tests::agent;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, mknodat},
    pipe::fcntl_setpipe_size,
};
use serde_json::Value;

use crate::common::fixture::recordings;

/// A replay of one recording, with these arguments.
fn replay(args: &[&str]) -> Command {
    let recording = recordings("exec-twice").swap_remove(0);
    let mut command = agent::command(&["replay", recording.to_str().unwrap(), "--event", "fork,exec,exit"]);
    command.args(args).stderr(Stdio::piped());
    command
}

fn output(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// Ends with this code and these words on stderr, and soon.
#[track_caller]
fn ends(command: &mut Command, code: i32, words: &[&str]) -> Output {
    let begin = Instant::now();
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(words.iter().all(|word| stderr.contains(word)), "{stderr}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    output
}

#[track_caller]
fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The lines of a replay that nothing goes wrong with.
fn expected() -> String {
    let output = replay(&[]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_stdout_that_is_closed_at_the_start_is_wrong_usage() {
    let mut shell = Command::new("/bin/sh");
    let recording = recordings("exec-twice").swap_remove(0);
    shell.args(["-c", "exec \"$0\" replay \"$1\" >&-"]).arg(agent::binary()).arg(&recording);
    ends(shell.stderr(Stdio::piped()), 2, &["stdout", "closed", "--output"]);
    // It does not matter where nothing is written to it.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.jsonl");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec \"$0\" replay \"$1\" --output \"$2\" >&-"]);
    shell.arg(agent::binary()).arg(&recording).arg(output(&file));
    ends(shell.stderr(Stdio::piped()), 0, &[]);
    assert!(!events(&fs::read_to_string(file).unwrap()).is_empty());
}

#[test]
fn a_reader_that_has_enough_ends_a_sole_stdout_quietly() {
    let mut child = replay(&[]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_closed_output_ends_the_run_with_1_if_that_is_its_policy() {
    let mut child = replay(&["--output", "stdout,when_closed=end"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("output stdout: nobody reads it any more"));
}

#[test]
fn a_closed_stdout_beside_another_output_only_ends_itself() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.jsonl");
    let mut child =
        replay(&["--output", "stdout", "--output", &output(&file)]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = child.wait_with_output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(fs::read_to_string(file).unwrap(), expected());
}

/// With `O_NONBLOCK`, a full pipe refuses bytes that it would make others wait for.
#[test]
fn a_stdout_with_o_nonblock_gets_every_line() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    fcntl_setfl(writer.as_fd(), fcntl_getfl(writer.as_fd()).unwrap() | OFlags::NONBLOCK).unwrap();
    // A page: it is full most of the time.
    fcntl_setpipe_size(&writer, 4096).unwrap();
    let recording = recordings("exec-hostile-argv").swap_remove(0);
    let mut command = agent::command(&["replay", recording.to_str().unwrap(), "--event", "fork,exec,exit"]);
    let mut child = command.stdout(writer).spawn().unwrap();
    drop(command);
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        // Slower than the agent.
        thread::sleep(Duration::from_millis(1));
        match reader.read(&mut chunk).unwrap() {
            0 => break,
            read => text.extend_from_slice(&chunk[..read]),
        }
    }
    assert!(child.wait().unwrap().success());
    let events = events(&String::from_utf8(text).unwrap());
    assert_eq!(events.last().unwrap()["event"]["sequence"], events.len());
}

/// The stop timeout is for a run that is asked to stop, not for a stream that ends by itself.
#[test]
fn a_reader_that_is_slower_than_the_stop_timeout_gets_all_of_a_stream_that_ends_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("collector.toml");
    fs::write(&config, "[agent]\nstop_timeout = \"100ms\"\n").unwrap();
    let recording = recordings("exec-hostile-argv").swap_remove(0);
    let args = ["replay", recording.to_str().unwrap(), "--event", "fork,exec,exit", "--config"];
    let mut command = agent::command(&args);
    let (mut reader, writer) = std::io::pipe().unwrap();
    // A page, so that the agent cannot deliver all of it before it is read.
    fcntl_setpipe_size(&writer, 4096).unwrap();
    let mut child = command.arg(&config).stdout(writer).spawn().unwrap();
    drop(command);
    thread::sleep(Duration::from_millis(500));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.len() > 8192, "the pipe takes it all: {}", text.len());
    assert!(child.wait().unwrap().success());
    let events = events(&text);
    assert_eq!(events.last().unwrap()["event"]["sequence"], events.len());
}

#[test]
fn a_fifo_that_nobody_reads_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    ends(&mut replay(&["--output", &output(&fifo)]), 1, &["FIFO", "start the reader first"]);
}

#[test]
fn a_file_that_ends_in_half_a_line_gets_a_newline_first() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.jsonl");
    fs::write(&file, "{\"half").unwrap();
    ends(&mut replay(&["--output", &output(&file)]), 0, &[]);
    assert_eq!(fs::read_to_string(file).unwrap(), format!("{{\"half\n{}", expected()));
}

#[test]
fn a_file_is_for_its_owner_alone_whatever_its_mode_was() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.jsonl");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    ends(&mut replay(&["--output", &output(&file)]), 0, &["had mode 0644; it has 0600 now"]);
    assert_eq!(mode(), 0o600);
    ends(&mut replay(&["--output", &format!("{},mode=0640", output(&file))]), 0, &[]);
    assert_eq!(mode(), 0o640);
}

/// As `RLIMIT_FSIZE` has it: the signal would kill the agent.
#[test]
fn a_file_at_its_size_limit_is_an_error_with_words_and_no_kill() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.jsonl");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -f 8; exec \"$0\" replay \"$1\" --output \"$2\""]).arg(agent::binary());
    shell.arg(recordings("exec-twice").swap_remove(0)).arg(output(&file));
    ends(shell.stderr(Stdio::piped()), 1, &["File too large", "were delivered"]);
    // What is there is whole: the line that did not fit was taken back.
    assert!(!events(&fs::read_to_string(file).unwrap()).is_empty());
}

#[test]
fn a_full_disk_at_the_end_of_a_replay_is_counted_on_stderr() {
    ends(&mut replay(&["--output", "file:/dev/full"]), 1, &["No space left", "events 0 were delivered"]);
}

#[test]
fn each_output_has_a_format_and_a_selection_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let [all, exits, lines] = ["all", "exits", "lines"].map(|name| directory.path().join(name));
    let words = [
        output(&all),
        format!("{},select=exit", output(&exits)),
        format!("{},format=compact,select=exec", output(&lines)),
    ];
    let args: Vec<&str> = words.iter().flat_map(|word| ["--output", word]).collect();
    ends(&mut replay(&args), 0, &[]);
    assert_eq!(fs::read_to_string(&all).unwrap(), expected());
    let is_selected = |line: &&str| {
        ["exit", "agent-start", "agent-stop"]
            .iter()
            .any(|action| line.contains(&format!("\"action\":\"{action}\"")))
    };
    let whole = expected();
    let selected: Vec<&str> = whole.lines().filter(is_selected).collect();
    assert_eq!(fs::read_to_string(&exits).unwrap().lines().collect::<Vec<_>>(), selected);
    let compact = fs::read_to_string(&lines).unwrap();
    assert!(compact.lines().count() >= 3 && !compact.contains('{'), "{compact}");
}

#[test]
fn outputs_are_tables_of_the_configuration_file() {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("x.jsonl");
    let config = directory.path().join("collector.toml");
    let text = format!(
        "events = [\"fork\", \"exec\", \"exit\"]\n[[output]]\nto = \"{}\"\nwhen_full = \"drop_newest\"\n[[output]]\nto = \"stdout\"\n",
        output(&file)
    );
    fs::File::create(&config).unwrap().write_all(text.as_bytes()).unwrap();
    let ran = ends(&mut replay(&["--config", config.to_str().unwrap()]), 0, &[]);
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), expected());
    assert_eq!(fs::read_to_string(file).unwrap(), expected());
}
