//! Records that the kernel side marks as left out: the table learns of them, the stream does not, and all adds up.

use collector::event::{Action, CountersOf, Event, LossReason};
use collector_common::{Fate, RecordHeader};
use zerocopy::{FromBytes, IntoBytes};

use crate::common::{
    fake_proc::FakeProc,
    made::{Made, Pieces},
    recording::Recording,
    stream::{check_counters, events_of, only},
};

const PARENT: u32 = 100;
const CHILD: u32 = 101;

fn marked(mut record: Vec<u8>, fate: Fate) -> Vec<u8> {
    let (header, _) = RecordHeader::mut_from_prefix(record.as_mut_bytes()).unwrap();
    header.fate = fate.to_wire();
    record
}

/// A parent whose records are all marked, and a child of it whose records are not.
fn events(fate: Fate) -> Vec<Event> {
    let parent = Made::new(PARENT, 2_000_000_000);
    let mut child = Made::new(CHILD, 3_000_000_000);
    (child.task.state.parent_tgid, child.task.state.parent_start_ns) = (PARENT, 2_000_000_000);
    let pieces = |path| Pieces { path, cwd: b"/srv", args: b"name\0an argument\0", ..Pieces::default() };
    let mut recording = Recording::new().with(&Made::init().found());
    for record in [parent.fork(), parent.exec(2_000_000_001, &pieces(b"/bin/parent"))] {
        recording.add(&marked(record, fate));
    }
    recording.add(&child.fork());
    recording.add(&child.exec(3_000_000_001, &pieces(b"/bin/child")));
    recording.add(&marked(parent.exit(3_000_000_002, 0), fate));
    recording.add(&child.exit(3_000_000_003, 0));
    let events = events_of(&recording, &FakeProc::new());
    check_counters(&events);
    events
}

fn counters(events: &[Event], action: Action) -> CountersOf {
    only(events, Action::AgentStop).counters.as_ref().unwrap().get(action.name()).cloned().unwrap()
}

/// What is left out by a rule, or over the limit, is the same to the table.
#[track_caller]
fn check_child(events: &[Event]) {
    let exec = only(events, Action::Exec).process.as_ref().unwrap();
    assert_eq!(exec.pid, Some(CHILD));
    let parent = exec.parent.as_ref().unwrap();
    assert_eq!((parent.pid, parent.executable.as_deref()), (Some(PARENT), Some("/bin/parent")));
    let args: Vec<&str> = parent.args.as_ref().unwrap().iter().collect();
    assert_eq!(args, ["name", "an argument"]);
    // By then the parent has ended, and the table has its end although it was not reported.
    let exit = only(events, Action::Exit).process.as_ref().unwrap();
    assert_eq!(exit.pid, Some(CHILD));
    assert_eq!(counters(events, Action::Exit).filtered, 1);
}

#[test]
fn what_a_rule_excludes_is_in_the_table_and_not_in_the_stream_and_is_no_loss() {
    let events = events(Fate::ByRule);
    check_child(&events);
    assert!(events.iter().all(|event| event.action() != Action::Loss));
    let CountersOf { seen, written, filtered, limited, .. } = counters(&events, Action::Exec);
    assert_eq!((seen, written, filtered, limited), (2, 1, 1, None));
}

#[test]
fn what_is_over_the_limit_is_in_the_table_and_only_counted_in_the_stream() {
    let events = events(Fate::ByLimit);
    check_child(&events);
    let losses = events.iter().filter_map(|event| event.loss.as_ref());
    let mut losses: Vec<_> = losses.map(|loss| (loss.action, loss.reason, loss.count)).collect();
    losses.sort_unstable();
    let filtered = |action| (Some(action), LossReason::Filtered, 1);
    assert_eq!(losses, [filtered(Action::Fork), filtered(Action::Exec), filtered(Action::Exit)]);
    for action in [Action::Fork, Action::Exec, Action::Exit] {
        let CountersOf { seen, written, filtered, limited, lost, .. } = counters(&events, action);
        assert_eq!((seen, written, filtered, limited, lost), (2, 1, 1, Some(1), 0), "{}", action.name());
    }
}
