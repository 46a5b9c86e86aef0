//! A run of the agent that is over.

use std::{fmt, process::ExitStatus, sync::Arc};

use crate::events::Event;

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// The whole stream, in its order.
    pub events: Vec<Arc<Event>>,
    /// How the agent ended.
    pub status: ExitStatus,
    /// What it said to people.
    pub stderr: String,
}

impl Run {
    /// The exit code, unless it was killed.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The records of one action, in their order.
    pub fn of_action<'a>(&'a self, action: &'a str) -> impl Iterator<Item = &'a Arc<Event>> {
        self.events.iter().filter(move |event| event.action() == action)
    }

    /// The records of one action of one process.
    pub fn of(&self, pid: u32, action: &str) -> Vec<Arc<Event>> {
        self.of_action(action).filter(|event| event.pid() == Some(pid.into())).cloned().collect()
    }

    /// The records of one action of the process with this `process.entity_id`, which no other process has.
    pub fn of_entity(&self, entity_id: &str, action: &str) -> Vec<Arc<Event>> {
        let is_its = |event: &&Arc<Event>| event.text_at("process.entity_id") == Some(entity_id);
        self.of_action(action).filter(is_its).cloned().collect()
    }

    /// An orderly end.
    ///
    /// # Panics
    ///
    /// When the exit code is not 0.
    #[must_use = "a run is over only when its stream has been looked at"]
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(self.status.success(), "{self}");
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} records, stderr: {}", self.status, self.events.len(), self.stderr)
    }
}
