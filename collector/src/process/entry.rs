//! One process in the table, and how far it has come.

use super::key::ProcessKey;

/// A process.
#[derive(Debug)]
pub struct Entry<I> {
    /// What is known of it.
    pub process: I,
    /// The real parent in the last record that gave it; `None` for the first processes. [`Table::parent`](super::Table::parent) follows it over the
    /// parent's end.
    pub(super) parent: Option<ProcessKey>,
    pub(super) life: Life,
    /// How many entries name this one as their parent or their reaper.
    pub(super) references: u32,
    /// Whether a cached ancestor chain contains it: see [`Table::chain_generation`](super::Table::chain_generation).
    pub(super) is_in_chain: bool,
}

/// How far a process has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    Running,
    Ended {
        exit: Exit,
        /// The grace time is over: only references keep the entry.
        expired: bool,
    },
}

/// How the table learnt that a process ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exit {
    /// /proc does not show it any more; its exit record has not come.
    Unseen,
    /// The exit record came.
    Seen {
        /// The process that took over its children; `None` where there was none left.
        reaper: Option<ProcessKey>,
    },
}

impl<I> Entry<I> {
    pub(super) fn new(process: I, parent: Option<ProcessKey>, references: u32) -> Self {
        Self { process, parent, life: Life::Running, references, is_in_chain: false }
    }

    /// Whether its end is known.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.life, Life::Ended { .. })
    }

    pub(super) fn is_expired(&self) -> bool {
        matches!(self.life, Life::Ended { expired: true, .. })
    }

    pub(super) fn reaper(&self) -> Option<ProcessKey> {
        match self.life {
            Life::Ended { exit: Exit::Seen { reaper }, .. } => reaper,
            Life::Ended { exit: Exit::Unseen, .. } | Life::Running => None,
        }
    }

    pub(super) fn expire(&mut self) {
        if let Life::Ended { expired, .. } = &mut self.life {
            *expired = true;
        }
    }

    /// Replaces `old` wherever this entry names it.
    pub(super) fn rekey(&mut self, old: ProcessKey, new: ProcessKey) {
        let reaper = match &mut self.life {
            Life::Ended { exit: Exit::Seen { reaper }, .. } => reaper.as_mut(),
            Life::Ended { exit: Exit::Unseen, .. } | Life::Running => None,
        };
        self.parent.iter_mut().chain(reaper).filter(|named| **named == old).for_each(|named| *named = new);
    }
}

/// The generation of cached ancestor chains.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChainGeneration(pub(super) u64);

impl ChainGeneration {
    /// The only place that makes cached chains invalid.
    pub(super) fn invalidate_if(&mut self, is_in_chain: bool) {
        self.0 += u64::from(is_in_chain);
    }
}
