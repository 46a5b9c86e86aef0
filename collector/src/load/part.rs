//! The parts of the agent's work, and which of them a kernel cannot do.

/// The part of the agent's work that a hook serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The life of processes. The agent does not run without it.
    Processes,
    /// Processes that ran before the agent.
    Scan,
    /// Connections.
    Connections,
    /// Rules on cgroups that are made while the agent runs. Attached only if there are such rules.
    Cgroups,
}

impl Part {
    /// Its name for users.
    #[must_use]
    pub fn feature(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Scan => "processes that ran before the agent",
            Self::Connections => "connections",
            Self::Cgroups => "filters by cgroup",
        }
    }
}

/// A feature that does not work on this kernel, while the rest does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// What is missing from the events.
    pub feature: String,
    /// Why.
    pub reason: String,
}
