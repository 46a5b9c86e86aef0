//! Whole lines: columns, indentation, what is cut, and what no process can do to a terminal.

use std::sync::atomic::{AtomicUsize, Ordering};

use collector_event::{Action, EntityId, Event, Parent, Process, Shared, Timestamp, User};
use jiff::tz::TimeZone;

use super::{CompactFormat, CompactOptions, Width, encode};

fn id(number: u32) -> EntityId {
    format!("{number:08x}-0000-8000-8000-000000000000").parse().unwrap()
}

/// A process with a parent, of a user without a name.
fn process(pid: u32, parent: u32) -> Process {
    let parent = Parent {
        pid: Some(parent),
        comm: Some("bash".into()),
        entity_id: Some(id(parent)),
        ..Parent::default()
    };
    Process {
        pid: Some(pid),
        entity_id: Some(id(pid)),
        comm: Some("sh".into()),
        parent: Some(parent.into()),
        user: Some(User { id: Some("1000".into()), name: None }.into()),
        ..Process::default()
    }
}

fn event(action: Action, process: Process) -> Event {
    let mut event = Event::new(action, Timestamp(45_296_789_000_000), Shared::default());
    event.process = Some(Box::new(process));
    event
}

fn exec(pid: u32, parent: u32, line: &str) -> Event {
    event(Action::Exec, Process { command_line: Some(line.into()), ..process(pid, parent) })
}

fn format(width: Option<usize>) -> CompactFormat {
    let width = width.map_or(Width::Unlimited, Width::Columns);
    CompactFormat::new(CompactOptions { width, colour: false, header: false, zone: TimeZone::UTC })
}

#[track_caller]
fn check(format: &mut CompactFormat, event: &Event, expected: &str) {
    let mut line = Vec::new();
    format.write(event, &mut line);
    assert_eq!(String::from_utf8(line).unwrap(), format!("{expected}\n"));
}

#[test]
fn a_child_is_indented_below_its_parent_and_only_the_first_names_its_own() {
    let mut format = format(None);
    check(&mut format, &exec(7, 1, "sh -c x"), "12:34:56.789 exec            7 1000     sh -c x  ← bash 1");
    check(&mut format, &exec(8, 7, "sh"), "12:34:56.789 exec            8 1000       sh");
    let exit = event(Action::Exit, Process { exit_code: Some(3), ..process(8, 7) });
    check(&mut format, &exit, "12:34:56.789 exit            8 1000       sh  exit 3");
}

#[test]
fn indentation_stops_at_the_eighth_level() {
    let mut format = format(None);
    let mut line = Vec::new();
    for pid in 10..40 {
        line.clear();
        format.write(&exec(pid, pid - 1, "sh"), &mut line);
    }
    let line = String::from_utf8(line).unwrap();
    assert_eq!(line, format!("12:34:56.789 exec           39 1000     {}sh\n", " ".repeat(16)));
}

#[test]
fn a_line_is_cut_to_the_width_of_the_terminal_and_keeps_the_parent_where_there_is_room() {
    let mut wide = format(Some(80));
    let long = format!("sh {}", "x".repeat(3000));
    check(
        &mut wide,
        &exec(7, 1, &long),
        &format!("12:34:56.789 exec            7 1000     sh {}…  ← bash 1", "x".repeat(26)),
    );
    let mut narrow = format(Some(44));
    check(&mut narrow, &exec(7, 1, &long), "12:34:56.789 exec            7 1000     sh …");
}

#[test]
fn a_terminal_may_be_resized_between_two_lines() {
    static COLUMNS: AtomicUsize = AtomicUsize::new(44);
    let width = Width::Current(|| Some(COLUMNS.load(Ordering::Relaxed)));
    let options = CompactOptions { width, colour: false, header: false, zone: TimeZone::UTC };
    let mut format = CompactFormat::new(options);
    let long = format!("sh {}", "x".repeat(3000));
    check(&mut format, &exec(7, 1, &long), "12:34:56.789 exec            7 1000     sh …");
    COLUMNS.store(46, Ordering::Relaxed);
    check(&mut format, &exec(8, 7, &long), "12:34:56.789 exec            8 1000       sh …");
}

#[test]
fn wide_characters_count_twice() {
    let mut format = format(Some(44));
    check(&mut format, &exec(7, 1, "sh日本"), "12:34:56.789 exec            7 1000     sh…");
}

#[test]
fn the_header_comes_once() {
    let mut format = CompactFormat::new(CompactOptions {
        width: Width::Unlimited,
        colour: false,
        header: true,
        zone: TimeZone::UTC,
    });
    let mut lines = Vec::new();
    format.write(&exec(7, 1, "sh"), &mut lines);
    format.write(&exec(7, 1, "sh"), &mut lines);
    let lines = String::from_utf8(lines).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "TIME +00:00  EVENT         PID USER     WHAT");
    assert_eq!(lines[0].find("WHAT"), lines[1].find("sh"));
}

#[test]
fn a_user_is_shown_by_name() {
    let user = User { id: Some("33".into()), name: Some("www-data-user".into()) };
    let process = Process { user: Some(user.into()), command_line: Some("sh".into()), ..process(7, 1) };
    check(
        &mut format(None),
        &event(Action::Exec, process),
        "12:34:56.789 exec            7 www-dat… sh  ← bash 1",
    );
}

#[test]
fn nothing_that_a_process_calls_itself_reaches_the_terminal_as_a_command() {
    let mut hostile = process(7, 1);
    hostile.command_line = Some("sh a\n\x1b[2J\u{202e}\u{200b}\u{e0041}".into());
    hostile.user = Some(User { id: None, name: Some("\x1b[2J".into()) }.into());
    hostile.parent = Some(Parent { pid: Some(1), comm: Some("\u{9b}2J".into()), ..Parent::default() }.into());
    check(
        &mut format(None),
        &event(Action::Exec, hostile),
        r"12:34:56.789 exec            7 \u{1b}[… sh a\n\u{1b}[2J\u{202e}\u{200b}\u{e0041}  ← \u{9b}2J 1",
    );
}

#[test]
fn colours_are_all_that_colour_adds() {
    let (mut plain, mut coloured) = (Vec::new(), Vec::new());
    encode(&exec(7, 1, "sh"), false, &mut plain);
    encode(&exec(7, 1, "sh"), true, &mut coloured);
    let coloured = String::from_utf8(coloured).unwrap();
    let without = ["2", "36", "0"]
        .iter()
        .fold(coloured.clone(), |text, code| text.replace(&format!("\x1b[{code}m"), ""));
    assert!(coloured.contains("\x1b[36mexec"));
    assert_eq!(without.as_bytes(), plain);
}
