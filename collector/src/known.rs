//! A fact, or why there is none, and where it came from.

use std::{borrow::Cow, fmt};

/// Why a field is absent: `capture.missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The process was gone before it could be read.
    Exited,
    /// The kernel refused to let the agent read it.
    Denied,
    /// A kernel task has no such thing.
    KernelTask,
    /// Larger than the agent is told to read.
    TooLarge,
    /// Not ready yet; a later record tells it.
    Pending,
    /// This kernel or file system does not tell it.
    Unsupported,
    /// Switched off in the configuration.
    Disabled,
    /// A UDP socket's own address, which the kernel has not chosen yet.
    Unbound,
    /// The file was written to while it was read, or so shortly before that nothing proves which bytes ran.
    Unstable,
    /// Reading failed with this errno.
    Io(&'static str),
}

impl Reason {
    /// As it is written.
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
            Self::Io(errno) => return format!("io:{errno}").into(),
        }
        .into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Where a fact came from: `capture.origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The kernel side took it at the moment of the event.
    Kernel,
    /// /proc, read afterwards.
    Proc,
    /// The parent, at the fork.
    Parent,
    /// What the agent knew already.
    Cache,
}

/// A fact with where it came from, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// The fact.
    Value {
        /// What is so.
        value: T,
        /// Where it came from.
        origin: Origin,
        /// The full size of what was cut, in bytes.
        full: Option<u64>,
    },
    /// Not known.
    Missing(Reason),
    /// There is no such thing, and nothing is missing: the script of what is no script.
    None,
}

impl<T> Known<T> {
    /// A whole fact.
    pub fn whole(value: T, origin: Origin) -> Self {
        Self::Value { value, origin, full: None }
    }

    /// The fact, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value { value, .. } => Some(value),
            Self::Missing(_) | Self::None => None,
        }
    }
}
