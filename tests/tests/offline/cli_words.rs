//! The words of the command line, its variables and its configuration: what each may be, and what a wrong one is answered.
//! And what a terminal shows. None of this needs root.

use std::{
    collections::HashMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use collector_tests::agent;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use serde_json::Value;

/// Variables beside the arguments.
type Variables<'v> = &'v [(&'v str, &'v str)];

#[track_caller]
fn run(args: &[&str], variables: Variables<'_>) -> Output {
    let mut command = agent::command(args);
    if args.first() == Some(&"run") && !args.contains(&"--duration") {
        // As root, a run that is not refused ends by itself, and the test fails.
        command.arg("--duration=1s");
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
    output
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// It ends with this code, and its error has all of these words.
#[track_caller]
fn refused(args: &[&str], variables: Variables<'_>, code: i32, words: &[&str]) {
    let output = run(args, variables);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?} {variables:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error:?}");
    }
}

fn recording(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures.join(format!("{name}-6.18-2026-11-23.rec"))
}

/// The events of a replay with these flags.
#[track_caller]
fn replay(name: &str, flags: &[&str]) -> Vec<Value> {
    let file = recording(name);
    let args = [&["replay", file.to_str().unwrap(), "--format", "json"], flags].concat();
    let output = run(&args, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `exec 7`, without the events of the agent itself.
fn of_processes(events: &[Value]) -> Vec<String> {
    let with_process = events.iter().filter(|event| event["process"].is_object());
    let word =
        |event: &Value| format!("{} {}", event["event"]["action"].as_str().unwrap(), event["process"]["pid"]);
    with_process.map(word).collect()
}

/// seen = written + filtered + lost for each action, and the events that are written are those that were counted.
#[track_caller]
fn adds_up(events: &[Value]) {
    let mut written: HashMap<&str, u64> = HashMap::new();
    for event in events {
        *written.entry(event["event"]["action"].as_str().unwrap()).or_default() += 1;
    }
    let counters = events.last().unwrap()["counters"].as_object().unwrap();
    for (action, of) in counters {
        let count = |key: &str| of[key].as_u64().unwrap();
        assert_eq!(count("seen"), count("written") + count("filtered") + count("lost"), "{action}: {of}");
        assert_eq!(count("written"), written.get(action.as_str()).copied().unwrap_or(0), "{action}");
    }
}

#[test]
fn a_level_of_the_log_that_does_not_exist_is_refused_with_those_that_do() {
    refused(&["run", "--log", "wran"], &[], 2, &["wran", "off, error, warn, info, debug"]);
    refused(&["run"], &[("COLLECTOR_LOG", "loud")], 2, &["loud", "error, warn", "variable COLLECTOR_LOG"]);
    refused(&["replay", "x", "--log", "collector=loud"], &[], 2, &["collector=loud"]);
}

#[test]
fn an_error_names_the_variable_only_if_no_flag_gave_the_value() {
    let output = run(&["run", "--log", "wran"], &[("COLLECTOR_LOG", "info")]);
    assert!(!text(&output.stderr).contains("COLLECTOR_LOG"), "{}", text(&output.stderr));
    refused(
        &["run"],
        &[("COLLECTOR_SNAPSHOT", "maybe")],
        2,
        &["maybe", "1, true, yes", "variable COLLECTOR_SNAPSHOT"],
    );
    refused(
        &["run"],
        &[("COLLECTOR_RING_BYTES", "5")],
        2,
        &["power of two", "variable COLLECTOR_RING_BYTES"],
    );
}

#[test]
fn a_flag_out_of_its_bounds_is_wrong_usage_and_not_a_wrong_configuration() {
    for size in ["5", "1000", "2GiB", "1MB", "-1"] {
        let output = run(&["run", &format!("--ring-bytes={size}")], &[]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("--ring-bytes") && !error.contains("configuration"), "{error}");
    }
    refused(&["run", "--duration", "5 years"], &[], 2, &["--duration", "100ms"]);
    refused(&["run", "--count", "0"], &[], 2, &["--count"]);
    refused(&["run", "--pid", "0"], &[], 2, &["--pid"]);
}

#[test]
fn a_switch_is_set_by_a_variable_in_any_usual_word_and_an_empty_variable_is_not_set() {
    // A file that is not there is found after the variables are read.
    let wrong_file = ["run", "--config", "/nonexistent.toml"];
    for word in ["1", "true", "yes", "on", "0", "false", "no", "OFF", ""] {
        refused(&wrong_file, &[("COLLECTOR_SNAPSHOT", word)], 78, &["/nonexistent.toml"]);
    }
    let names = [
        "COLLECTOR_LOG",
        "COLLECTOR_EVENT",
        "COLLECTOR_OUTPUT",
        "COLLECTOR_FORMAT",
        "COLLECTOR_EXCLUDE",
        "COLLECTOR_ONLY",
        "COLLECTOR_EXEC_LIMIT",
        "COLLECTOR_RING_BYTES",
        "COLLECTOR_COLOR",
    ];
    refused(&wrong_file, &names.map(|name| (name, "")), 78, &["/nonexistent.toml"]);
    let checked = run(&["doctor", "--format", "json"], &[("COLLECTOR_CONFIG", "")]);
    assert!(matches!(checked.status.code(), Some(0 | 69 | 77)), "{}", text(&checked.stderr));
}

#[test]
fn a_variable_may_have_several_outputs_and_several_rules() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
    let outputs = format!("file:{};file:{}", one.display(), two.display());
    let file = recording("exec-twice");
    let output = run(&["replay", file.to_str().unwrap()], &[("COLLECTOR_OUTPUT", &outputs)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    assert!(!fs::read(&one).unwrap().is_empty());
    let checked = run(&["doctor", "--format", "json"], &[("COLLECTOR_EXCLUDE", "uid=7;comm=x")]);
    assert!(text(&checked.stdout).contains("exclude uid=7, exclude comm=x"), "{}", text(&checked.stdout));
}

#[test]
fn a_rule_that_can_never_match_is_refused_or_named_by_the_doctor() {
    refused(&["run", "--exclude", "image=/usr/*/bash"], &[], 2, &["/usr/*/bash", "* before its end"]);
    refused(&["run", "--only", "comm=a*"], &[], 2, &["comm=a*", "compared whole"]);
    refused(&["run", "--only", "image=/usr/../bin/ls"], &[], 2, &["component . or .."]);
    refused(&["run", "--only", "uid=no-such-user"], &[], 2, &["no-such-user", "/etc/passwd"]);
    let of_doctor = |rule: &str| {
        let output = run(&["doctor", "--format", "json", "--exclude", rule], &[]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == "filters").unwrap().clone()
    };
    let absent = of_doctor("image=/nonexistent/x");
    assert_eq!(absent["status"], "warn");
    assert!(absent["affects"].as_str().unwrap().contains("image=/nonexistent/x"), "{absent}");
    let by_name = of_doctor("uid=root");
    assert_eq!((&by_name["status"], &by_name["found"]), (&"ok".into(), &"exclude uid=0".into()));
}

#[test]
fn a_link_gets_a_rule_for_where_it_leads() {
    let directory = tempfile::tempdir().unwrap();
    let real = fs::canonicalize(directory.path()).unwrap();
    fs::write(real.join("program"), "").unwrap();
    std::os::unix::fs::symlink("program", real.join("link")).unwrap();
    let rule = format!("image={}/link", real.display());
    let output = run(&["doctor", "--format", "json", "--exclude", &rule], &[]);
    let words = format!("exclude {rule}, exclude image={}/program", real.display());
    assert!(text(&output.stdout).contains(&words), "{}", text(&output.stdout));
}

#[track_caller]
fn check_config(toml: &str, code: i32, words: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("collector.toml");
    fs::write(&file, toml).unwrap();
    let file = file.to_str().unwrap();
    let output = run(&["config", "check", "--config", file], &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}{}", text(&output.stderr));
    for word in words {
        assert!(said.contains(&word.replace("FILE", file)), "{word:?} is not in {said:?}");
    }
    // A run refuses the same file, and names it.
    if code != 0 {
        refused(&["run", "--config", file], &[], 78, &[file]);
    }
}

#[test]
fn config_check_says_ok_or_where_the_fault_is() {
    check_config("", 0, &["FILE: ok"]);
    check_config(
        "[ring]\nbytes = \"1M\"\n[checksums]\nwait_ms = \"1s\"\nmax_bytes = \"64KiB\"\n",
        0,
        &["FILE: ok"],
    );
    check_config("\n  nonsense = 1\n", 78, &["FILE:2:3: unknown field `nonsense`"]);
    check_config("events = [\n", 78, &["FILE:"]);
    check_config("events = []\n", 78, &["FILE:1:1: events = []", "nothing to watch"]);
    check_config("snapshot = true\n[ring]\n nice = -100\n", 78, &["FILE:3:2: ring.nice = -100", "-20 to 19"]);
    check_config("[queue]\nevents = 99999999999\n", 78, &["FILE:2:1: queue.events", "1 to 16777216"]);
    check_config("[ring]\nbytes = 5\n", 78, &["FILE:2:1: ring.bytes = 5", "power of two"]);
    check_config("[log]\nlevel = \"wran\"\n", 78, &["FILE:2:1: log.level", "off, error, warn"]);
    check_config("[redaction]\nnames = [\"A*B\"]\n", 78, &["FILE:2:1: redaction.names", "A*B"]);
    check_config("[redaction]\nnames = [\"\"]\n", 78, &["FILE:2:1: redaction.names"]);
    check_config("events = [\"execs\"]\n", 78, &["execs", "fork, exec, exit, connect, connect-result"]);
    check_config(
        "[filter]\nonly = [\"image=/nonexistent/x\"]\n",
        0,
        &["warning: only image=/nonexistent/x", "FILE: ok"],
    );
}

#[test]
fn a_misspelt_event_is_answered_with_one_that_exists() {
    refused(&["run", "--event", "execs"], &[], 2, &["'exec'", "fork, exec, exit, connect, connect-result"]);
    refused(&["run", "--event", "agent-stop"], &[], 2, &["agent-stop"]);
}

#[test]
fn config_prints_the_file_with_every_key() {
    let alone = run(&["config"], &[]);
    assert_eq!(alone.stdout, run(&["config", "print"], &[]).stdout);
    assert!(text(&alone.stdout).contains("[checksums]"));
}

#[test]
fn each_verb_has_a_manual_page() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(&["man", "--dir", directory.path().to_str().unwrap()], &[]).status.success());
    let mut pages: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    let verbs = ["completions", "config", "doctor", "inspect", "man", "replay", "run", "schema"];
    let expected: Vec<_> = verbs.iter().map(|verb| format!("collector-{verb}.1")).collect();
    assert_eq!(pages, [&expected[..], &["collector.1".to_owned()]].concat());
    let page = run(&["man", "run"], &[]);
    for word in [".TH collector-run", "ring\\-bytes", "COLLECTOR_ONLY", "exec\\-limit"] {
        assert!(text(&page.stdout).contains(word), "{word}");
    }
    refused(&["man", "nonsense"], &[], 2, &["nonsense", "doctor"]);
}

#[test]
fn doctor_and_inspect_take_the_same_words_for_their_format() {
    let report = run(&["doctor", "--format", "json"], &[]);
    assert!(serde_json::from_slice::<Value>(&report.stdout).unwrap()["verdict"].is_string());
    assert!(text(&run(&["doctor", "--format", "text"], &[]).stdout).contains("kernel"));
    let own = std::process::id().to_string();
    let inspection = run(&["inspect", &own, "--format", "json"], &[]);
    assert!(serde_json::from_slice::<Value>(&inspection.stdout).unwrap()["process"].is_object());
    assert!(text(&run(&["inspect", &own, "--format", "text"], &[]).stdout).starts_with("process "));
}

#[test]
fn a_pid_selects_one_process_and_the_rest_counts_as_filtered() {
    let events = replay("parent-exits-first", &["--event", "exec,exit", "--pid", "24211"]);
    assert_eq!(of_processes(&events), ["exec 24211", "exit 24211"]);
    adds_up(&events);
}

#[test]
fn a_tree_selects_a_process_and_its_descendants_also_after_it_lost_its_parent() {
    let flags = ["--event", "exec,exit", "--tree", "24210"];
    let events = replay("parent-exits-first", &flags);
    assert_eq!(
        of_processes(&events),
        ["exec 24210", "exec 24211", "exit 24211", "exec 24212", "exit 24212", "exit 24210"]
    );
    adds_up(&events);
}

#[test]
fn a_count_ends_the_stream_after_that_many_events_of_processes() {
    let events = replay("parent-exits-first", &["--event", "exec,exit", "--count", "3"]);
    assert_eq!(of_processes(&events), ["exec 24209", "exec 24210", "exit 24209"]);
    assert_eq!(events.last().unwrap()["event"]["action"], "agent-stop");
    adds_up(&events);
}

#[test]
fn the_filters_of_a_run_hold_in_a_replay() {
    let events = replay("parent-exits-first", &["--event", "exec,exit", "--exclude", "image=/usr/bin/dash"]);
    assert_eq!(of_processes(&events), ["exec 24211", "exit 24211", "exec 24212", "exit 24212"]);
    assert_eq!(events[0]["agent"]["filters"][0], "exclude image=/usr/bin/dash");
    adds_up(&events);
    let events =
        replay("parent-exits-first", &["--event", "exec,exit", "--only", "comm=sleep", "--only", "uid=root"]);
    assert_eq!(of_processes(&events), ["exec 24211", "exit 24211"]);
    adds_up(&events);
}

#[test]
fn the_examples_with_jq_print_no_null() {
    let help = run(&["--help"], &[]);
    assert!(text(&help.stdout).contains("jq -r '.process.command_line // empty'"));
    let file = recording("fork-without-exec");
    let stream = run(&["replay", file.to_str().unwrap(), "--event", "exec,exit"], &[]).stdout;
    let filters = [
        ".process.command_line // empty",
        r#"select(.event.action == "exit" and .process.exit_code != 0) | .process |
            "\(.name // .comm): \(.exit.signal_name // .exit_code)""#,
    ];
    for filter in filters {
        let mut child = std::process::Command::new("jq");
        let child = child.args(["-r", filter]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        // A machine without jq has no use for the examples.
        let Ok(mut child) = child else { return };
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &stream).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success() && !text(&output.stdout).contains("null"),
            "{}",
            text(&output.stdout)
        );
    }
}

#[test]
fn an_error_cannot_speak_to_the_terminal() {
    let output = run(&["replay", "/nonexistent/\x1b[2J\u{202e}x"], &[]);
    let error = text(&output.stderr);
    assert!(error.contains(r"\u{1b}[2J\u{202e}x") && !error.contains('\x1b'), "{error:?}");
}

/// What a terminal of this number of columns shows of a replay for people.
fn on_terminal(columns: u16, name: &str, flags: &[&str], variables: Variables<'_>) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = ptsname(&master, Vec::new()).unwrap();
    let slave = rustix::fs::open(slave.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    tcsetwinsize(&slave, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let file = recording(name);
    let mut command = agent::command(&[&["replay", file.to_str().unwrap()], flags].concat());
    command.env_remove("NO_COLOR").env("TERM", "xterm").env("TZ", "UTC").envs(variables.iter().copied());
    let mut child = command.stdout(slave).stderr(Stdio::null()).spawn().unwrap();
    // The last copy of the terminal's end must be the child's, or reading would not end.
    drop(command);
    let mut shown = Vec::new();
    let mut terminal = fs::File::from(master);
    let mut buffer = [0; 4096];
    loop {
        match terminal.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => shown.extend_from_slice(&buffer[..len]),
            // The other end is closed.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_terminal_gets_colours_unless_it_is_dumb_or_the_user_wants_none() {
    let has_colours =
        |flags: &[&str], variables| on_terminal(80, "exec-twice", flags, variables).contains('\x1b');
    assert!(has_colours(&[], &[]));
    assert!(!has_colours(&[], &[("NO_COLOR", "1")]));
    assert!(has_colours(&[], &[("NO_COLOR", "")]));
    assert!(!has_colours(&[], &[("TERM", "dumb")]));
    assert!(!has_colours(&["--color", "never"], &[]));
    assert!(has_colours(&["--color=always"], &[("NO_COLOR", "1")]));
    assert!(!has_colours(&[], &[("COLLECTOR_COLOR", "never")]));
}

#[test]
fn a_pipe_gets_colours_only_if_the_user_wants_them() {
    let file = recording("exec-twice");
    let piped = |color: &str| {
        run(&["replay", file.to_str().unwrap(), "--format", "compact", "--color", color], &[]).stdout
    };
    assert!(!piped("auto").contains(&b'\x1b') && !piped("never").contains(&b'\x1b'));
    assert!(piped("always").contains(&b'\x1b'));
}

#[test]
fn a_terminal_gets_a_header_once_and_lines_that_fit() {
    let plain = ["--color", "never", "--event", "exec,exit"];
    let shown = on_terminal(60, "exec-hostile-argv", &plain, &[]);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], "TIME +00:00  EVENT         PID USER     WHAT");
    assert_eq!(lines.iter().filter(|line| line.starts_with("TIME")).count(), 1);
    assert!(lines.iter().all(|line| line.chars().count() <= 60), "{shown}");
    let wide = on_terminal(60, "exec-hostile-argv", &[&plain[..], &["--wide"]].concat(), &[]);
    assert!(wide.lines().any(|line| line.chars().count() > 60), "{wide}");
}

#[test]
fn a_terminal_shows_a_child_below_its_parent_in_local_time() {
    let flags = ["--color", "never", "--event", "exec"];
    let shown = on_terminal(100, "parent-exits-first", &flags, &[("TZ", "AAA-3")]);
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[0].starts_with("TIME +03:00"), "{shown}");
    let what = |pid: &str| {
        let line = lines.iter().find(|line| line.contains(&format!(" {pid} root"))).unwrap();
        line.get(40..).unwrap()
    };
    assert!(what("24209").starts_with("/bin/sh") && what("24209").ends_with("…  ← 23769"), "{shown}");
    assert!(what("24211").starts_with("    sleep"), "{shown}");
}

#[test]
fn a_pipe_gets_neither_a_header_nor_a_cut() {
    let file = recording("exec-hostile-argv");
    let piped = run(&["replay", file.to_str().unwrap(), "--format", "compact"], &[]).stdout;
    assert!(!text(&piped).contains("WHAT"));
    assert!(text(&piped).lines().any(|line| line.len() > 200), "{}", text(&piped));
}
