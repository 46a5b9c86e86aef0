//! The ancestors of a process, from a parent up.

use std::rc::Rc;

use super::{process::TrackedProcess, tracker::Tracker};
use crate::{event::Timestamp, fact::Reason, process::ProcessKey};

/// How many ancestors are counted at most, beyond those on an event.
const DEPTH_MAX: usize = 4096;

/// A parent and all above it.
#[derive(Debug)]
pub(crate) struct Chain {
    /// From the parent up.
    pub links: Vec<Link>,
    /// How many there are, if `links` does not have them all.
    pub full: Option<u64>,
    /// Why it does not reach the first process.
    pub broken: Option<Reason>,
}

/// One ancestor.
#[derive(Debug)]
pub(crate) enum Link {
    /// The table has it.
    Known(ProcessKey, Rc<TrackedProcess>),
    /// Neither the table nor /proc has it. Its start is `None` if the process was gone before the agent could read it.
    Unknown(ProcessKey, Option<Timestamp>),
}

impl Chain {
    /// Whether the chain may be cached until [`Tracker::chain_generation`] changes. The table does not report changes above
    /// the last link, and a link that could not be read may be readable the next time.
    pub(crate) fn is_cacheable(&self) -> bool {
        self.full.is_none() && self.broken.is_none_or(Reason::is_gone)
    }
}

impl Tracker {
    /// Follows the parents, at most `most` of them, and reads from /proc those that the table does not have.
    pub(crate) fn climb(&mut self, parent: ProcessKey, most: usize) -> Chain {
        let (mut links, mut full, mut broken) = (Vec::new(), None, None);
        let mut next = Some(parent);
        while let Some(key) = next {
            if links.len() == most {
                full = u64::try_from(self.depth(key).saturating_add(links.len())).ok();
                break;
            }
            let reason = self.adopt(key).err();
            let Some(process) = self.table.add_to_chain(key).cloned() else {
                // Its own parent is unknown too. Without a reason the table had no room for it.
                links.push(Link::Unknown(key, self.start_if_known(key)));
                broken = Some(reason.unwrap_or(Reason::Exited));
                break;
            };
            links.push(Link::Known(key, process));
            next = self.table.parent(key);
        }
        Chain { links, full, broken }
    }

    /// The wall time of a start, unless only the id is known.
    pub(crate) fn start_if_known(&self, key: ProcessKey) -> Option<Timestamp> {
        (key.start.0 != 0).then(|| self.clock.wall(key.start.0))
    }

    /// The number of ancestors from this one up, itself included.
    fn depth(&mut self, from: ProcessKey) -> usize {
        let mut depth = 0;
        let mut next = Some(from);
        // Lost records may leave a cycle in the table, and a chain may be as long as its maker likes.
        while let Some(ancestor) = next.filter(|_| depth < DEPTH_MAX) {
            depth += 1;
            next = self.table.parent(ancestor);
        }
        depth
    }
}
