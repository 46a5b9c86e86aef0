//! What matters of an event, in words.

use std::fmt::{self, Display, Write as _};

use collector_event::{Action, Agent, CountersOf, Endpoint, Event, Outcome, Process};

/// Of an event of a process.
pub(super) fn of_process(event: &Event, process: &Process) -> String {
    match event.action() {
        Action::Exec | Action::Snapshot | Action::Fork => command(process),
        Action::Exit => ending(process),
        Action::Connect | Action::ConnectResult => format!("{}  {}", name(process), connection(event)),
        Action::Checksums => checksums(process),
        Action::Loss | Action::AgentStart | Action::AgentStop | Action::Unknown => of_agent(event),
    }
}

/// Of an event of the agent itself.
pub(super) fn of_agent(event: &Event) -> String {
    match event.action() {
        Action::Loss => event.loss.as_ref().map_or_else(String::new, |loss| {
            let action = loss.action.map_or("records", Action::name);
            format!("{} × {action}: {}", loss.count, word(loss.reason))
        }),
        Action::AgentStart => event.agent.as_deref().map(started).unwrap_or_default(),
        Action::AgentStop => event.counters.as_ref().map_or_else(String::new, |counters| {
            let sum = |one: fn(&CountersOf) -> u64| counters.values().map(one).fold(0, u64::saturating_add);
            format!(
                "{} written, {} filtered, {} lost",
                sum(|of| of.written),
                sum(|of| of.filtered),
                sum(|of| of.lost)
            )
        }),
        Action::Snapshot
        | Action::Fork
        | Action::Exec
        | Action::Exit
        | Action::Connect
        | Action::ConnectResult
        | Action::Checksums
        | Action::Unknown => String::new(),
    }
}

/// The parent of a new process or image, for one that stands below no line of it.
pub(super) fn parent(event: &Event) -> String {
    let (Action::Exec | Action::Fork | Action::Snapshot, Some(process)) = (event.action(), &event.process)
    else {
        return String::new();
    };
    let Some((parent, pid)) = process.parent.as_ref().and_then(|parent| Some((parent, parent.pid?))) else {
        return String::new();
    };
    let name = parent.comm.as_ref().or(parent.name.as_ref());
    name.map_or_else(|| format!("  ← {pid}"), |name| format!("  ← {name} {pid}"))
}

fn name(process: &Process) -> &str {
    process.comm.as_deref().or(process.name.as_deref()).unwrap_or("?")
}

/// The command line, and before it the process's name where that is another word: a program may be given any first argument.
fn command(process: &Process) -> String {
    if process.is_kernel == Some(true) {
        return format!("[{}]", name(process));
    }
    let Some(line) = process.command_line.as_deref().filter(|line| !line.is_empty()) else {
        return process.executable.as_deref().unwrap_or_else(|| name(process)).to_owned();
    };
    let argument = process.args.as_ref().and_then(|args| args.iter().next());
    let program = argument.or_else(|| line.split(' ').next()).unwrap_or_default().trim_start_matches('-');
    let comm = process.comm.as_deref().unwrap_or_default();
    // The kernel keeps 15 bytes of a name.
    let is_named = |path: &str| path.rsplit('/').next().is_some_and(|last| last.starts_with(comm));
    if is_named(program) || process.script.as_deref().is_some_and(is_named) {
        line.to_owned()
    } else {
        format!("{comm}: {line}")
    }
}

fn ending(process: &Process) -> String {
    let mut words = format!("{}  ", name(process));
    // Writing to memory does not fail.
    match (&process.exit, process.exit_code) {
        (Some(exit), _) => {
            let signal = exit.signal_name.as_deref().unwrap_or("a signal");
            let core = if exit.core_dumped == Some(true) { ", core dumped," } else { "" };
            let _ = write!(words, "killed by {signal}{core}");
        }
        (None, Some(code)) => {
            let _ = write!(words, "exit {code}");
        }
        (None, None) => words.push_str("ended"),
    }
    if let (Some(start), Some(end)) = (process.start, process.end) {
        let _ = write!(words, " after {}", Took(end.0.saturating_sub(start.0)));
    }
    words
}

/// A time that something took, with three digits at most: `310 µs`, `7.8 ms`, `42 s`, `5 min`.
struct Took(i64);

impl Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 5] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "min"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
        ];
        let (unit_ns, unit) = UNITS.into_iter().find(|(ns, _)| self.0 >= *ns).unwrap_or((1_000, "µs"));
        let in_unit =
            |parts: i64| (i128::from(self.0.max(0)) * i128::from(parts) * 2 / i128::from(unit_ns) + 1) / 2;
        match in_unit(10) {
            tenths @ 0..100 => write!(f, "{}.{} {unit}", tenths / 10, tenths % 10),
            _ => write!(f, "{} {unit}", in_unit(1)),
        }
    }
}

fn checksums(process: &Process) -> String {
    let path = process.executable.as_deref().unwrap_or_else(|| name(process));
    let hash = process.hash.as_deref();
    let digests = [
        ("sha256", hash.and_then(|hash| hash.sha256.as_deref())),
        ("sha1", hash.and_then(|hash| hash.sha1.as_deref())),
        ("md5", hash.and_then(|hash| hash.md5.as_deref())),
    ];
    let strongest = digests.into_iter().find_map(|(name, digest)| Some((name, digest?)));
    strongest.map_or_else(|| path.to_owned(), |(name, digest)| format!("{path}  {name} {digest}"))
}

fn connection(event: &Event) -> String {
    let transport = event.network.as_ref().map(|network| word(network.transport)).unwrap_or_default();
    let kernel = event.network.as_ref().is_some_and(|network| network.kernel_connection == Some(true));
    let by = if kernel { " by the kernel" } else { "" };
    let ends = format!("{transport} {} → {}{by}", End(event.source), End(event.destination));
    match (event.event.outcome, &event.error, event.event.duration) {
        (Some(Outcome::Success), _, Some(took)) => {
            format!("{ends}  open after {}", Took(took.try_into().unwrap_or(i64::MAX)))
        }
        (Some(Outcome::Failure), Some(error), _) => format!("{ends}  {}", error.code),
        (Some(Outcome::Failure), None, _) => format!("{ends}  given up"),
        (Some(Outcome::Success), _, None) | (Some(Outcome::Unknown) | None, _, _) => ends,
    }
}

/// One end of a connection, as far as it is known.
struct End(Option<Endpoint>);

impl Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Endpoint { ip, port }) = self.0 else { return f.write_str("?") };
        match ip {
            Some(ip) if ip.is_ipv6() => write!(f, "[{ip}]")?,
            Some(ip) => write!(f, "{ip}")?,
            None => f.write_str("?")?,
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn started(agent: &Agent) -> String {
    let list = |word: &str, names: Vec<&str>| {
        if names.is_empty() { String::new() } else { format!(", {word} {}", names.join(", ")) }
    };
    let without = list("without", agent.degraded.keys().map(String::as_str).collect());
    let filters = list("with filters:", agent.filters.iter().map(String::as_str).collect());
    let hooks = agent.hooks.len();
    let many = if hooks == 1 { "" } else { "s" };
    format!("collector {}, {hooks} hook{many}{without}{filters}", agent.version)
}

/// As it is written in JSON.
fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Took, checksums, command, ending, of_agent, started};
    use collector_event::{
        Action, Agent, AgentKind, CountersOf, Event, Exit, Hashes, Process, Shared, Strings, Timestamp,
    };

    #[track_caller]
    fn took(nanoseconds: i64, expected: &str) {
        assert_eq!(Took(nanoseconds).to_string(), expected);
    }

    #[test]
    fn a_duration_has_the_unit_that_suits_it() {
        took(0, "0.0 µs");
        took(310_000, "310 µs");
        took(7_782_000, "7.8 ms");
        took(9_960_000, "10 ms");
        took(430_000_000, "430 ms");
        took(8_561_000_000, "8.6 s");
        took(42_000_000_000, "42 s");
        took(150_000_000_000, "2.5 min");
        took(36_000_000_000_000, "10 h");
        took(i64::MAX, "106752 d");
        took(-5_000_000, "0.0 µs");
    }

    fn exec(comm: &str, args: &str, line: &str) -> String {
        command(&Process {
            comm: Some(comm.into()),
            args: Some(Strings::new(args)),
            command_line: Some(line.into()),
            ..Process::default()
        })
    }

    #[test]
    fn a_command_line_stands_alone_where_its_first_word_is_the_process_s_name() {
        assert_eq!(exec("ls", "/bin/ls\0-l\0", "/bin/ls -l"), "/bin/ls -l");
        assert_eq!(exec("bash", "-bash\0", "-bash"), "-bash");
        assert_eq!(
            exec("a-name-that-is-", "a-name-that-is-long\0", "a-name-that-is-long"),
            "a-name-that-is-long"
        );
    }

    #[test]
    fn a_first_argument_that_is_another_name_does_not_hide_the_process_s() {
        assert_eq!(exec("evil", "sshd\0-D\0", "sshd -D"), "evil: sshd -D");
    }

    #[test]
    fn a_script_needs_no_other_name_than_that_of_its_file() {
        let process = Process {
            comm: Some("s.sh".into()),
            args: Some(Strings::new("/bin/sh\0./s.sh\0")),
            command_line: Some("/bin/sh ./s.sh".into()),
            ..Process::default()
        };
        assert_eq!(command(&process), "s.sh: /bin/sh ./s.sh");
        assert_eq!(command(&Process { script: Some("/tmp/s.sh".into()), ..process }), "/bin/sh ./s.sh");
    }

    #[test]
    fn a_process_without_arguments_shows_its_path_and_a_kernel_task_its_name() {
        let process =
            Process { executable: Some("/bin/x".into()), comm: Some("x".into()), ..Process::default() };
        assert_eq!(command(&process), "/bin/x");
        assert_eq!(command(&Process { is_kernel: Some(true), ..process }), "[x]");
    }

    #[test]
    fn an_exit_code_reads_as_one_and_a_signal_by_its_name() {
        let (start, end) = (Some(Timestamp(0)), Some(Timestamp(42_000_000)));
        let process = Process { comm: Some("sh".into()), start, end, ..Process::default() };
        assert_eq!(ending(&Process { exit_code: Some(3), ..process.clone() }), "sh  exit 3 after 42 ms");
        let exit = Exit { signal: Some(9), signal_name: Some("SIGKILL".into()), core_dumped: Some(false) };
        assert_eq!(ending(&Process { exit: Some(exit), ..process }), "sh  killed by SIGKILL after 42 ms");
    }

    #[test]
    fn checksums_show_the_strongest_digest_of_the_image() {
        let hashes =
            Hashes { sha1: Some("aa".to_owned()), sha256: Some("bb".to_owned()), ..Hashes::default() };
        let process =
            Process { executable: Some("/bin/x".into()), hash: Some(hashes.into()), ..Process::default() };
        assert_eq!(checksums(&process), "/bin/x  sha256 bb");
        assert_eq!(checksums(&Process { hash: None, ..process }), "/bin/x");
    }

    #[test]
    fn a_start_names_what_is_missing_and_the_filters() {
        let agent = Agent {
            kind: AgentKind::Collector,
            version: "1.0".into(),
            kernel: None,
            hooks: vec!["sock_ops".to_owned()],
            degraded: [("subreapers".to_owned(), "no field".to_owned())].into(),
            filters: vec!["exclude uid=0".to_owned(), "only comm=sh".to_owned()],
        };
        assert_eq!(
            started(&agent),
            "collector 1.0, 1 hook, without subreapers, with filters: exclude uid=0, only comm=sh"
        );
    }

    #[test]
    fn counters_of_any_size_add_up_to_a_line() {
        let mut event = Event::new(Action::AgentStop, Timestamp(0), Shared::default());
        let huge = CountersOf { written: u64::MAX, lost: 2, ..CountersOf::default() };
        let counters = ["exec", "exit"].map(|action| (action.to_owned(), huge.clone()));
        event.counters = Some(Box::new(counters.into()));
        assert_eq!(of_agent(&event), format!("{} written, 0 filtered, 4 lost", u64::MAX));
    }
}
