//! What a recording becomes when it is replayed.

use std::path::Path;

use collector::{
    Builder, RunError,
    config::Config,
    event::{Action, Event},
};
use tempfile::TempDir;

use super::{fake_proc::FakeProc, recording::Recording};

/// Every event that can be selected.
pub(crate) fn everything() -> Config {
    let events = [Action::Fork, Action::Exec, Action::Exit, Action::Connect, Action::ConnectResult];
    let mut config = Config::default();
    config.events = events.into();
    config.snapshot = true;
    config
}

/// The events of a file, with this directory instead of /proc.
#[track_caller]
pub(crate) fn replay(recording: &Path, proc: &FakeProc, config: Config) -> Vec<Event> {
    let builder = Builder::from(config).proc(proc.path());
    let mut collector = builder.replay(recording).unwrap_or_else(|error| panic!("{error}"));
    let items = std::iter::from_fn(|| collector.wait());
    let event = |item| match item {
        Ok(event) => Some(event),
        // The stream itself says what is damaged, on `agent-stop`.
        Err(RunError::Damaged(_)) => None,
        Err(error) => panic!("{error}"),
    };
    items.filter_map(event).collect()
}

/// The events of a recording that was made by hand.
#[track_caller]
pub(crate) fn events_of(recording: &Recording, proc: &FakeProc) -> Vec<Event> {
    events_of_bytes(&recording.bytes(), proc)
}

/// The events of a file with these bytes.
#[track_caller]
pub(crate) fn events_of_bytes(bytes: &[u8], proc: &FakeProc) -> Vec<Event> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("recording");
    std::fs::write(&path, bytes).unwrap();
    replay(&path, proc, everything())
}

/// The actions of events, in their order.
pub(crate) fn actions(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.action().name()).collect()
}

/// The one event of an action.
#[track_caller]
pub(crate) fn only(events: &[Event], action: Action) -> &Event {
    let mut found = events.iter().filter(|event| event.action() == action);
    match (found.next(), found.next()) {
        (Some(event), None) => event,
        (None, _) => panic!("no {} in {:?}", action.name(), actions(events)),
        (Some(_), Some(_)) => panic!("more than one {} in {:?}", action.name(), actions(events)),
    }
}

/// Fails where the counters of `agent-stop` do not add up, or do not agree with the stream.
#[track_caller]
pub(crate) fn check_counters(events: &[Event]) {
    let counters = only(events, Action::AgentStop).counters.as_ref().unwrap();
    for (action, of) in counters.iter() {
        assert_eq!(of.seen, of.written + of.filtered + of.lost, "{action}: {of:?}");
        assert_eq!(of.lost, of.lost_by_reason.values().sum::<u64>(), "{action}: {of:?}");
        let written = events.iter().filter(|event| event.action().name() == action).count();
        assert_eq!(of.written, u64::try_from(written).unwrap(), "{action}: {of:?}");
    }
    let sequences: Vec<u64> = events.iter().filter_map(|event| event.event.sequence).collect();
    assert_eq!(sequences, (1..=u64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
}
