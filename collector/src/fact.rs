//! A fact about a process: a value with its origin, or the reason why there is none.

use std::{borrow::Cow, fmt};

use rustix::io::Errno;

use crate::{errno::errno_name, event, procfs::ReadError};

/// Why a field is absent: `capture.missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The process was gone before the agent could read it.
    Exited,
    /// The kernel did not let the agent read it.
    Denied,
    /// A kernel task has no such thing.
    KernelTask,
    /// Larger than the agent's limit.
    TooLarge,
    /// Not ready yet; a later event has it.
    Pending,
    /// This kernel or file system does not provide it.
    Unsupported,
    /// Switched off in the configuration.
    Disabled,
    /// A UDP socket's own address, which the kernel has not chosen yet.
    Unbound,
    /// The file was written to during the read, or so shortly before it that nothing proves which bytes ran.
    Unstable,
    /// The agent replays a recording, and the machine that could answer is gone.
    Replay,
    /// The read failed with this errno.
    Io(&'static str),
}

impl Reason {
    /// The word in the event.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Exited => "exited",
            Self::Denied => "denied",
            Self::KernelTask => "kernel_task",
            Self::TooLarge => "too_large",
            Self::Pending => "pending",
            Self::Unsupported => "unsupported",
            Self::Disabled => "disabled",
            Self::Unbound => "unbound",
            Self::Unstable => "unstable",
            Self::Replay => "replay",
            Self::Io(errno) => return format!("io:{errno}").into(),
        }
        .into()
    }

    /// Whether the process is gone for good, with all that /proc had of it.
    #[must_use]
    pub(crate) fn is_gone(self) -> bool {
        matches!(self, Self::Exited | Self::Replay)
    }

    /// A call that failed with an errno.
    #[must_use]
    pub(crate) fn of_errno(errno: Errno) -> Self {
        Self::Io(u32::try_from(errno.raw_os_error()).ok().and_then(errno_name).unwrap_or("EIO"))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl From<ReadError> for Reason {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Exited { .. } => Self::Exited,
            ReadError::NoProc { .. } => Self::Replay,
            ReadError::Denied { .. } => Self::Denied,
            ReadError::Malformed { .. } => Self::Unsupported,
            ReadError::Io { source: Errno::NAMETOOLONG, .. } => Self::TooLarge,
            ReadError::Io { source, .. } => Self::of_errno(source),
        }
    }
}

/// The only place that makes the event's reason.
impl From<Reason> for event::Reason {
    fn from(reason: Reason) -> Self {
        Self(reason.name())
    }
}

/// Where the agent took a fact from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The kernel side took it at the moment of the event.
    Kernel,
    /// The agent read it from /proc afterwards.
    Proc,
}

impl Origin {
    /// `capture.origin`, which leaves out what the kernel side took.
    pub(crate) fn to_event(self) -> Option<event::Origin> {
        match self {
            Self::Kernel => None,
            Self::Proc => Some(event::Origin::Proc),
        }
    }
}

/// A number of the kernel's records, in which 0 means absent.
#[must_use]
pub(crate) fn nonzero(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// It is known.
    Value {
        /// The value.
        value: T,
        /// Where it came from.
        origin: Origin,
        /// The full size in bytes, if the value was cut.
        full: Option<u64>,
    },
    /// It is not known.
    Missing(Reason),
    /// There is no such thing and nothing is missing: only a script has a script path.
    NotApplicable,
}

impl<T> Fact<T> {
    /// A whole value.
    pub fn whole(value: T, origin: Origin) -> Self {
        Self::Value { value, origin, full: None }
    }

    /// The answer of a read of /proc.
    pub(crate) fn from_proc(answer: Result<T, Reason>) -> Self {
        answer.map_or_else(Self::Missing, |value| Self::whole(value, Origin::Proc))
    }

    /// The value, if it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value { value, .. } => Some(value),
            Self::Missing(_) | Self::NotApplicable => None,
        }
    }

    /// The same fact with another value.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Value { value, origin, full } => Fact::Value { value: change(value), origin, full },
            Self::Missing(reason) => Fact::Missing(reason),
            Self::NotApplicable => Fact::NotApplicable,
        }
    }
}
