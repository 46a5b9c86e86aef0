//! One line for people: when, what, who, and the fact that matters.

use std::{
    fmt::{self, Display},
    io::Write as _,
};

use collector_event::{Action, Agent, CountersOf, Endpoint, Event, Outcome, Process};

/// Where the time of day stands in RFC 3339, to the millisecond.
const TIME_OF_DAY: std::ops::Range<usize> = 11..23;

/// Colours of the terminal, by what they stand for.
#[derive(Clone, Copy)]
enum Colour {
    Dim,
    Good,
    Bad,
    New,
    Net,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::New => "36",
            Self::Net => "35",
        }
    }
}

/// Appends the line, without its end.
pub(super) fn encode(event: &Event, colour: bool, line: &mut Vec<u8>) {
    let time = event.timestamp.to_rfc3339();
    let time = paint(time.get(TIME_OF_DAY).unwrap_or(&time), Colour::Dim, colour);
    let action = format!("{:<14}", event.action().name());
    let action = paint(&action, action_colour(event), colour);
    // Writing to memory does not fail.
    let _ = write!(line, "{time} {action} ");
    if let Some(process) = &event.process {
        let _ = write!(line, "{}", who(process, colour));
    }
    let fact = escaped(&fact(event));
    if !fact.is_empty() {
        let _ = write!(line, "  {fact}");
    }
}

fn paint(text: &str, colour: Colour, colours: bool) -> String {
    if colours { format!("\x1b[{}m{text}\x1b[0m", colour.code()) } else { text.to_owned() }
}

fn action_colour(event: &Event) -> Colour {
    match event.action() {
        Action::Exec | Action::Fork | Action::Snapshot => Colour::New,
        Action::Exit => {
            let failed = event.process.as_ref().is_some_and(|process| process.exit_code != Some(0));
            if failed { Colour::Bad } else { Colour::Good }
        }
        Action::Connect => Colour::Net,
        Action::ConnectResult if event.event.outcome == Some(Outcome::Success) => Colour::Good,
        Action::ConnectResult | Action::Loss => Colour::Bad,
        Action::AgentStart | Action::AgentStop | Action::Checksums | Action::Unknown => Colour::Dim,
    }
}

fn who(process: &Process, colour: bool) -> String {
    let number = |number: Option<u32>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let parent = process.parent.as_ref().and_then(|parent| parent.pid);
    let user =
        process.user.as_ref().and_then(|user| user.name.as_deref().or(user.id.as_deref())).unwrap_or("?");
    let ids = format!("{:>7} ← {:<7} {:<8}", number(process.pid), number(parent), user);
    format!(
        "{} {:<15}",
        paint(&escaped(&ids), Colour::Dim, colour),
        escaped(process.comm.as_deref().unwrap_or("?"))
    )
}

/// What matters of the event.
fn fact(event: &Event) -> String {
    let process = event.process.as_deref();
    match event.action() {
        Action::Exec | Action::Snapshot | Action::Fork => {
            let kernel = process.is_some_and(|process| process.is_kernel == Some(true));
            let line = process.and_then(|process| process.command_line.as_deref());
            if kernel { "[kernel]".to_owned() } else { line.unwrap_or_default().to_owned() }
        }
        Action::Exit => process.map(ending).unwrap_or_default(),
        Action::Connect | Action::ConnectResult => connection(event),
        Action::Unknown => String::new(),
        Action::Checksums => {
            process.and_then(|process| process.executable.as_deref()).unwrap_or_default().to_owned()
        }
        Action::Loss => event.loss.as_ref().map_or_else(String::new, |loss| {
            let action = loss.action.map_or("records", Action::name);
            format!("{} × {action}: {}", loss.count, debug_name(loss.reason))
        }),
        Action::AgentStart => event.agent.as_deref().map(started).unwrap_or_default(),
        Action::AgentStop => event.counters.as_ref().map_or_else(String::new, |counters| {
            let sum = |one: fn(&CountersOf) -> u64| counters.values().map(one).fold(0, u64::saturating_add);
            let (written, lost) = (sum(|of| of.written), sum(|of| of.lost));
            format!("{written} written, {lost} lost")
        }),
    }
}

fn started(agent: &Agent) -> String {
    let list = |word: &str, names: Vec<&str>| {
        if names.is_empty() { String::new() } else { format!(", {word} {}", names.join(", ")) }
    };
    let without = list("without", agent.degraded.keys().map(String::as_str).collect());
    let filters = list("with filters:", agent.filters.iter().map(String::as_str).collect());
    format!("collector {}, {} hooks{without}{filters}", agent.version, agent.hooks.len())
}

fn debug_name(reason: impl serde::Serialize) -> String {
    serde_json::to_value(reason).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn ending(process: &Process) -> String {
    let lived = match (process.start, process.end) {
        (Some(start), Some(end)) => format!(" after {}", duration(end.0.saturating_sub(start.0))),
        (_, _) => String::new(),
    };
    match (&process.exit, process.exit_code) {
        (Some(exit), _) => {
            let core = if exit.core_dumped == Some(true) { ", core dumped" } else { "" };
            format!("{}{core}{lived}", exit.signal_name.as_deref().unwrap_or("killed"))
        }
        (None, Some(code)) => format!("{code}{lived}"),
        (None, None) => String::new(),
    }
}

/// In the unit that suits it: `310 µs`, `42 ms`, `7 s`.
fn duration(nanoseconds: i64) -> String {
    match nanoseconds / 1000 {
        us @ ..10_000 => format!("{us} µs"),
        us @ ..10_000_000 => format!("{} ms", us / 1000),
        us => format!("{} s", us / 1_000_000),
    }
}

fn connection(event: &Event) -> String {
    let transport = event.network.as_ref().map(|network| debug_name(network.transport)).unwrap_or_default();
    let kernel = event.network.as_ref().is_some_and(|network| network.kernel_connection == Some(true));
    let by = if kernel { " by the kernel" } else { "" };
    let ends = format!("{transport} {} → {}{by}", End(event.source), End(event.destination));
    match (event.event.outcome, &event.error, event.event.duration) {
        (Some(Outcome::Success), _, Some(took)) => {
            format!("{ends}  open in {}", duration(took.try_into().unwrap_or(i64::MAX)))
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

/// A line stays one line, and nothing that a process calls itself reaches the terminal as a command.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::{encode, started};
    use collector_event::{
        Action, Agent, AgentKind, CountersOf, Event, Exit, Parent, Process, Shared, Timestamp,
    };

    #[track_caller]
    fn check(process: Process, action: Action, expected: &str) {
        let mut event = Event::new(action, Timestamp(45_296_789_000_000), Shared::default());
        event.process = Some(Box::new(process));
        let mut line = Vec::new();
        encode(&event, false, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    fn process() -> Process {
        Process {
            pid: Some(7),
            comm: Some("sh".into()),
            parent: Some(Parent { pid: Some(1), ..Parent::default() }.into()),
            ..Process::default()
        }
    }

    #[test]
    fn an_exec_shows_its_command_line() {
        let process = Process { command_line: Some("sh -c 'a b'".into()), ..process() };
        check(
            process,
            Action::Exec,
            "12:34:56.789 exec                 7 ← 1       ?        sh               sh -c 'a b'",
        );
    }

    #[test]
    fn a_killed_process_shows_the_signal() {
        let exit = Exit { signal: Some(9), signal_name: Some("SIGKILL".into()), core_dumped: Some(false) };
        let (start, end) = (Some(Timestamp(0)), Some(Timestamp(42_000_000)));
        let process = Process { exit: Some(exit), start, end, ..process() };
        check(
            process,
            Action::Exit,
            "12:34:56.789 exit                 7 ← 1       ?        sh               SIGKILL after 42 ms",
        );
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
            "collector 1.0, 1 hooks, without subreapers, with filters: exclude uid=0, only comm=sh"
        );
    }

    #[test]
    fn counters_of_any_size_add_up_to_a_line() {
        let mut event = Event::new(Action::AgentStop, Timestamp(0), Shared::default());
        let huge = CountersOf { written: u64::MAX, lost: 2, ..CountersOf::default() };
        let counters = ["exec", "exit"].map(|action| (action.to_owned(), huge.clone()));
        event.counters = Some(Box::new(counters.into()));
        let mut line = Vec::new();
        encode(&event, false, &mut line);
        assert!(String::from_utf8(line).unwrap().ends_with(&format!("{} written, 4 lost", u64::MAX)));
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        let process = Process { command_line: Some("a\n\x1b[2J".into()), ..process() };
        check(
            process,
            Action::Exec,
            r"12:34:56.789 exec                 7 ← 1       ?        sh               a\n\u{1b}[2J",
        );
    }
}
