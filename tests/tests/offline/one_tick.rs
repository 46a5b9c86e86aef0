//! Lives of one pid that begin in the same tick of the clock. By its specification the CPID of both is the same; nothing
//! else that is said of them is.

use std::collections::HashSet;

use collector::event::{Action, Event};

use crate::common::{
    fake_proc::FakeProc,
    made::{Made, Pieces},
    recording::Recording,
    stream::{check_counters, events_of},
};

const PID: u32 = 100;
const LIVES: u32 = 1_000;
/// Less than a tick of 10 ms apart, and all of one.
const BEGIN_NS: u64 = 2_340_000_000;
const APART_NS: u64 = 5_000;

/// Each life forks, execs with its number, connects, and ends with the number; the result of the connect comes when the next
/// life has begun.
fn recording() -> Recording {
    let mut recording = Recording::new().with(&Made::init().found());
    let mut late: Option<Vec<u8>> = None;
    for number in 0..LIVES {
        let start = BEGIN_NS + u64::from(number) * APART_NS;
        let life = Made::new(PID, start);
        let (args, path) = (format!("app\0{number}\0"), format!("/bin/app-{}", number % 7));
        let pieces = Pieces { path: path.as_bytes(), cwd: b"/", args: args.as_bytes(), ..Pieces::default() };
        recording.add(&life.fork());
        recording.add(&life.exec(start + 1, &pieces));
        if let Some(result) = late.take() {
            recording.add(&result);
        }
        recording.add(&life.connect(start + 2, number.into()));
        recording.add(&life.exit(start + 3, (number & 0xff) << 8));
        late = Some(life.connect_result(start + APART_NS + 2, number.into(), 0));
    }
    recording
}

fn number(event: &Event) -> u32 {
    event.process.as_ref().unwrap().args.as_ref().unwrap().iter().last().unwrap().parse().unwrap()
}

#[test]
fn lives_of_one_pid_within_one_tick_are_distinguished() {
    let events = events_of(&recording(), &FakeProc::new());
    check_counters(&events);
    let of = |action| events.iter().filter(move |event| event.action() == action);
    for (expected, exec) in (0..).zip(of(Action::Exec)) {
        assert_eq!(number(exec), expected);
    }
    for event in of(Action::Connect).chain(of(Action::ConnectResult)) {
        assert_eq!(u64::from(number(event)), event.connection.as_ref().unwrap().id);
    }
    for (expected, exit) in (0..).zip(of(Action::Exit)) {
        let process = exit.process.as_ref().unwrap();
        assert_eq!((number(exit), process.exit_code), (expected, Some(expected & 0xff)));
        assert_eq!(process.executable.as_deref(), Some(&*format!("/bin/app-{}", expected % 7)));
    }
    let counts =
        [Action::Exec, Action::Connect, Action::ConnectResult, Action::Exit].map(|action| of(action).count());
    let lives = usize::try_from(LIVES).unwrap();
    assert_eq!(counts, [lives, lives, lives - 1, lives]);
    let ids = |id: fn(&collector::event::Process) -> Option<String>| {
        of(Action::Exec).filter_map(|exec| id(exec.process.as_ref().unwrap())).collect::<HashSet<_>>().len()
    };
    assert_eq!(ids(|process| process.entity_id.map(|id| id.to_string())), 1);
    assert_eq!(ids(|process| process.exec_id.map(|id| id.to_string())), lives);
}
