//! State, signals and capabilities.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

/// `status`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Status {
    /// The state of its main thread.
    pub state: State,
    /// Number of its threads.
    pub threads: u64,
    /// Permissions that new files do not get, in octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<String>,
    /// The process that traces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracer_pid: Option<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Slots of its table of descriptors.
    pub fd_slots: u32,
    /// How often its main thread gave up the CPU to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voluntary_switches: Option<u64>,
    /// How often the kernel took the CPU from its main thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub involuntary_switches: Option<u64>,
    /// Whether an exec can give it no privileges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privs: Option<bool>,
    /// `disabled`, `strict` or `filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Cow<'static, str>>,
    /// CPUs that it may run on: `0-3,8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_allowed: Option<String>,
    /// Signals that are queued for its real user.
    pub signals_queued: u64,
    /// How many may be queued.
    pub signals_queued_max: u64,
    /// Its signals, by name.
    pub signals: Signals,
    /// Its capabilities, by name.
    pub capabilities: CapabilitySets,
}

/// `status.signals`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Signals {
    /// Pending for its main thread.
    pub pending: Vec<Cow<'static, str>>,
    /// Pending for the process: any of its threads may take them.
    pub shared_pending: Vec<Cow<'static, str>>,
    /// Blocked: not delivered for now.
    pub blocked: Vec<Cow<'static, str>>,
    /// Ignored: thrown away.
    pub ignored: Vec<Cow<'static, str>>,
    /// Caught by a handler.
    pub caught: Vec<Cow<'static, str>>,
}

/// `status.capabilities`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CapabilitySets {
    /// Kept across the exec of a file that has them in its inheritable set.
    pub inheritable: Vec<Cow<'static, str>>,
    /// Those that it may put into force.
    pub permitted: Vec<Cow<'static, str>>,
    /// In force.
    pub effective: Vec<Cow<'static, str>>,
    /// The limit of what an exec can give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounding: Option<Vec<Cow<'static, str>>>,
    /// Kept across the exec of any unprivileged file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambient: Option<Vec<Cow<'static, str>>>,
}

/// The state of a thread: `proc_pid_stat(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// `R`
    Running,
    /// `S`: waits; a signal wakes it.
    Sleeping,
    /// `D`: waits, and no signal wakes it.
    DiskSleep,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by its tracer.
    TracingStop,
    /// `Z`: has ended, and its parent has not waited for it.
    Zombie,
    /// `X`: being reaped.
    Dead,
    /// `I`: an idle kernel thread.
    Idle,
    /// `P`: parked.
    Parked,
    /// A letter that this version does not know.
    Unknown,
}

impl State {
    /// By the letter of `stat` and `status`.
    pub(in crate::inspect) fn of(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::DiskSleep,
            b'T' => Self::Stopped,
            b't' => Self::TracingStop,
            b'Z' => Self::Zombie,
            b'X' | b'x' => Self::Dead,
            b'I' => Self::Idle,
            b'P' => Self::Parked,
            _ => Self::Unknown,
        }
    }

    /// As it is written.
    pub(in crate::inspect) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::DiskSleep => "disk-sleep",
            Self::Stopped => "stopped",
            Self::TracingStop => "tracing-stop",
            Self::Zombie => "zombie",
            Self::Dead => "dead",
            Self::Idle => "idle",
            Self::Parked => "parked",
            Self::Unknown => "unknown",
        }
    }
}
