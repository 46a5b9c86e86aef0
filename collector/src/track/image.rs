//! What a process runs: made once for each exec, shared with all its forks.

use std::{rc::Rc, sync::Arc};

use collector_common::FileIdentity;

use super::args::Args;
use crate::{
    fact::{Fact, Reason},
    text::Text,
};

/// The path of a file made by `memfd_create(2)` begins with this.
const MEMFD: &[u8] = b"/memfd:";

/// What a process runs.
#[derive(Debug)]
pub(crate) struct Image {
    /// Path of the file.
    pub executable: Fact<Text>,
    /// The last part of it.
    pub name: Option<Arc<str>>,
    /// Identity of the file.
    pub file: Fact<FileIdentity>,
    /// When that was observed, in nanoseconds since boot: at the exec, or when /proc was read.
    pub seen_ns: u64,
    /// Path of the script, if the file is an interpreter.
    pub script: Fact<Text>,
    /// argv.
    pub args: Fact<Args>,
    /// Working directory at the exec.
    pub cwd: Fact<Text>,
}

impl Image {
    /// An image about which nothing is known.
    pub(super) fn unknown(reason: Reason) -> Rc<Self> {
        Rc::new(Self {
            executable: Fact::Missing(reason),
            name: None,
            file: Fact::Missing(reason),
            seen_ns: 0,
            script: Fact::NotApplicable,
            args: Fact::Missing(reason),
            cwd: Fact::Missing(reason),
        })
    }

    /// Whether the process was gone before its image could be read.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.executable, Fact::Missing(reason) if reason.is_gone())
    }

    /// Whether the file was made by `memfd_create(2)`: it has such a name and never had a link.
    pub(crate) fn is_memfd(&self) -> bool {
        let named = self.executable.value().is_some_and(|path| path.bytes().starts_with(MEMFD));
        named && self.file.value().is_some_and(|file| file.links == 0)
    }
}
