//! One line for people: when, what, who, and the fact that matters.
//!
//! ```text
//! TIME +01:00  EVENT         PID USER     WHAT
//! 12:34:56.789 exec         4242 root     make -j2  ← bash 4100
//! 12:34:56.790 exec         4243 root       cc -c a.c
//! 12:34:56.798 exit         4243 root       cc  exit 1 after 7.8 ms
//! ```

mod clock;
mod columns;
mod fact;
mod lineage;

use collector_event::{Action, Event, Outcome, Process};
use jiff::tz::TimeZone;

use self::{
    clock::Clock,
    columns::{cut, push_padded, width},
    lineage::Lineage,
};
use super::printable;

/// Columns of the names of events and of users; more is cut.
const EVENT: usize = 9;
const USER: usize = 8;
/// Columns before the fact.
const FIXED: usize = "12:34:56.789 ".len() + EVENT + " 1234567 ".len() + USER + " ".len();
/// Levels of indentation that are shown; a process that is deeper stands at the last one.
const LEVELS: usize = 8;
/// A fact keeps at least this number of columns beside the parent's name.
const ROOM: usize = 20;

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

/// How many columns a line may take; more is cut.
#[derive(Clone, Copy, Debug)]
pub enum Width {
    /// Nothing is cut.
    Unlimited,
    /// This number.
    Columns(usize),
    /// As many as the function says before each line, since a terminal can be resized. `None` cuts nothing.
    Current(fn() -> Option<usize>),
}

impl Width {
    fn columns(self) -> Option<usize> {
        match self {
            Self::Unlimited => None,
            Self::Columns(columns) => Some(columns),
            Self::Current(columns) => columns(),
        }
    }
}

/// How lines for people look.
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// How wide a line may be.
    pub width: Width,
    /// Whether lines have colours.
    pub colour: bool,
    /// Whether a line with the names of the columns, and with the offset of the time zone, comes first.
    pub header: bool,
    /// The time zone that times are shown in: [`TimeZone::system`] for people.
    pub zone: TimeZone,
}

/// For a file: whole lines without colours, with times in UTC.
impl Default for CompactOptions {
    fn default() -> Self {
        Self { width: Width::Unlimited, colour: false, header: false, zone: TimeZone::UTC }
    }
}

/// Writes the events of one stream as lines for people. It remembers which processes it has shown, to indent their children.
#[derive(Debug)]
pub struct CompactFormat {
    width: Width,
    colour: bool,
    header: bool,
    clock: Clock,
    lineage: Lineage,
}

impl CompactFormat {
    /// For one output.
    #[must_use]
    pub fn new(options: CompactOptions) -> Self {
        let CompactOptions { width, colour, header, zone } = options;
        Self { width, colour, header, clock: Clock::new(zone), lineage: Lineage::default() }
    }

    /// Appends the line of `event` to `lines`, with its line feed. The first call may write the header before it.
    pub fn write(&mut self, event: &Event, lines: &mut Vec<u8>) {
        let width = self.width.columns();
        if std::mem::take(&mut self.header) {
            let time = format!("TIME {}", self.clock.offset(event.timestamp));
            let header = format!("{time:<12} {:<EVENT$} {:>7} {:<USER$} WHAT", "EVENT", "PID", "USER");
            let header = width.map_or(header.as_str().into(), |width| cut(&header, width));
            paint(&header, Colour::Dim, self.colour, lines);
            lines.push(b'\n');
        }
        let depth = event.process.as_ref().map_or(0, |process| self.lineage.depth_of(process));
        let time = self.clock.time_of_day(event.timestamp);
        let line = Line { event, time: &time, depth, width, colour: self.colour };
        line.write(lines);
        lines.push(b'\n');
    }
}

/// Appends the line of one event, without its end: times in UTC, nothing cut, nothing indented.
pub(super) fn encode(event: &Event, colour: bool, lines: &mut Vec<u8>) {
    let time = clock::in_utc(event.timestamp);
    Line { event, time: &time, depth: 0, width: None, colour }.write(lines);
}

/// All that one line is made of.
struct Line<'e> {
    event: &'e Event,
    time: &'e str,
    depth: usize,
    width: Option<usize>,
    colour: bool,
}

impl Line<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        paint(self.time, Colour::Dim, self.colour, out);
        out.push(b' ');
        let mut action = String::with_capacity(EVENT);
        push_padded(&mut action, action_name(self.event.action()), EVENT);
        paint(&action, action_colour(self.event), self.colour, out);
        out.push(b' ');
        let Some(process) = &self.event.process else {
            return self.write_fact(out, &fact::of_agent(self.event), "", FIXED - USER - " 1234567 ".len());
        };
        paint(&who(process), Colour::Dim, self.colour, out);
        out.push(b' ');
        let indent = 2 * self.depth.min(LEVELS);
        out.extend((0..indent).map(|_| b' '));
        let parent = if self.depth == 0 { fact::parent(self.event) } else { String::new() };
        self.write_fact(out, &fact::of_process(self.event, process), &parent, FIXED + indent);
    }

    /// The fact and, where there is room, the parent behind it; `before` columns are taken already.
    fn write_fact(&self, out: &mut Vec<u8>, fact: &str, parent: &str, before: usize) {
        let fact = printable(fact);
        let parent = printable(parent);
        let Some(columns) = self.width.map(|width| width.saturating_sub(before)) else {
            out.extend_from_slice(fact.as_bytes());
            return paint(&parent, Colour::Dim, self.colour, out);
        };
        let beside = width(&parent);
        let fits = columns >= ROOM + beside;
        out.extend_from_slice(cut(&fact, columns - if fits { beside } else { 0 }).as_bytes());
        if fits {
            paint(&parent, Colour::Dim, self.colour, out);
        }
    }
}

fn paint(text: &str, colour: Colour, colours: bool, out: &mut Vec<u8>) {
    if !colours || text.is_empty() {
        return out.extend_from_slice(text.as_bytes());
    }
    for part in ["\x1b[", colour.code(), "m", text, "\x1b[0m"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The name of the event, short where the whole one would take much of a terminal's width.
fn action_name(action: Action) -> &'static str {
    match action {
        Action::ConnectResult => "result",
        Action::AgentStart => "start",
        Action::AgentStop => "stop",
        Action::Snapshot
        | Action::Fork
        | Action::Exec
        | Action::Exit
        | Action::Connect
        | Action::Checksums
        | Action::Loss
        | Action::Unknown => action.name(),
    }
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

fn who(process: &Process) -> String {
    let user = process.user.as_ref().and_then(|user| user.name.as_deref().or(user.id.as_deref()));
    let mut who = String::with_capacity(7 + 1 + USER);
    let mut digits = itoa::Buffer::new();
    let pid = process.pid.map_or("?", |pid| digits.format(pid));
    who.extend((pid.len()..7).map(|_| ' '));
    who.push_str(pid);
    who.push(' ');
    push_padded(&mut who, &printable(user.unwrap_or("?")), USER);
    who
}

#[cfg(test)]
mod tests;
