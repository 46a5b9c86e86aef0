//! Whose `/proc/<pid>/root` may lead to the file of an image whose own process is gone.
//!
//! The path of an image is told from the root of its mount namespace. So it is looked for below the roots of the
//! ancestors that live, of any other process of that namespace, and of the agent. Whether what is found there is the file
//! is not decided here.

use std::collections::HashMap;

use super::pool::Candidate;
use crate::clock::boottime_ns;
use crate::procfs::{Namespace, Proc, ProcFile, ProcLink, ProcessDir, StartTicks, Stat};

/// Ancestors that are asked.
const ANCESTORS: usize = 8;
/// Namespaces of which a process is remembered; all are forgotten when there are more.
const REMEMBERED: usize = 256;
/// Longest line of `stat`.
const STAT_MAX: usize = 4096;

/// What one thread of the pool knows of mount namespaces.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    found: HashMap<u32, Found>,
}

#[derive(Clone, Copy, Debug)]
enum Found {
    /// This process is of it.
    Process(u32, StartTicks),
    /// No process was of it at this time, in nanoseconds since boot. A namespace that was seen later is another one: the
    /// number is used again.
    Nobody(u64),
}

impl Namespaces {
    /// The processes to ask, one after the other: each is looked for only when the one before had no answer. `seen_ns` is
    /// when a process of the candidate's namespace was seen, in nanoseconds since boot.
    pub(super) fn roots<'a>(
        &'a mut self,
        candidate: &'a Candidate,
        seen_ns: u64,
        proc: &'a Proc,
    ) -> impl Iterator<Item = ProcessDir> + 'a {
        let parent = proc.process(candidate.parent.0, Some(candidate.parent.1)).ok();
        let ancestors = std::iter::successors(parent, |process| parent_of(process, proc)).take(ANCESTORS);
        let mnt = candidate.mnt;
        let of_namespace = std::iter::once_with(move || self.process_of(mnt, seen_ns, proc)).flatten();
        let agent = std::iter::once_with(|| proc.process(std::process::id(), None).ok()).flatten();
        ancestors.chain(of_namespace).chain(agent)
    }

    /// A process of the mount namespace that has its root for its own. To look for one is a walk over /proc, of some
    /// milliseconds.
    fn process_of(&mut self, mnt: u32, seen_ns: u64, proc: &Proc) -> Option<ProcessDir> {
        match self.found.get(&mnt) {
            Some(Found::Nobody(at_ns)) if seen_ns <= *at_ns => return None,
            Some(Found::Process(tgid, start)) => {
                let process = proc.process(*tgid, Some(*start)).ok();
                if let Some(process) = process.filter(|process| is_of(process, mnt)) {
                    return Some(process);
                }
            }
            Some(Found::Nobody(_)) | None => {}
        }
        let begun_ns = boottime_ns();
        let tgids = proc.tgids().unwrap_or_default();
        let mut processes = tgids.into_iter().filter_map(|tgid| proc.process(tgid, None).ok());
        let process = processes.find(|process| is_of(process, mnt));
        if self.found.len() >= REMEMBERED {
            self.found.clear();
        }
        let found = process.as_ref().map(|process| Found::Process(process.tgid(), process.start()));
        self.found.insert(mnt, found.unwrap_or(Found::Nobody(begun_ns)));
        process
    }
}

fn is_of(process: &ProcessDir, mnt: u32) -> bool {
    process.namespace(Namespace::Mnt) == Ok(mnt)
        && process.link(ProcLink::Root).is_ok_and(|root| root == b"/")
}

fn parent_of(process: &ProcessDir, proc: &Proc) -> Option<ProcessDir> {
    let mut line = Vec::new();
    process.read_into(ProcFile::Stat, &mut line, STAT_MAX).ok()?;
    let parent = Stat::parse(&line)?.ppid;
    // A parent that ends now hands its children over: whoever has its id a moment later is asked in vain at worst.
    (parent != 0).then(|| proc.process(parent, None).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::process::id;

    use super::Namespaces;
    use crate::{
        digest::Candidate,
        procfs::{Namespace, Proc, StartTicks},
    };

    #[test]
    fn where_everybody_else_is_gone_the_agent_itself_is_asked() {
        let proc = Proc::live().unwrap();
        let nobody = (u32::MAX, StartTicks(0));
        let candidate = Candidate { tgid: nobody.0, start: nobody.1, parent: nobody, mnt: 1, path: None };
        let mut namespaces = Namespaces::default();
        let asked: Vec<_> = namespaces.roots(&candidate, 1, &proc).map(|process| process.tgid()).collect();
        assert_eq!(asked, [id()]);
    }

    #[test]
    fn a_namespace_that_had_nobody_is_looked_for_again_when_its_number_is_seen_later() {
        let proc = Proc::live().unwrap();
        let this = proc.process(id(), None).unwrap();
        let mnt = this.namespace(Namespace::Mnt).unwrap();
        let mut namespaces = Namespaces::default();
        namespaces.found.insert(mnt, super::Found::Nobody(1000));
        assert!(namespaces.process_of(mnt, 1000, &proc).is_none());
        assert!(namespaces.process_of(mnt, 1001, &proc).is_some());
    }

    #[test]
    fn ancestors_are_asked_first_then_any_process_of_the_namespace() {
        let proc = Proc::live().unwrap();
        let this = proc.process(id(), None).unwrap();
        let candidate = Candidate {
            tgid: u32::MAX,
            start: StartTicks(0),
            parent: (id(), this.start()),
            mnt: this.namespace(Namespace::Mnt).unwrap(),
            path: None,
        };
        let mut namespaces = Namespaces::default();
        let asked: Vec<_> = namespaces.roots(&candidate, 1, &proc).map(|process| process.tgid()).collect();
        assert_eq!(asked.first(), Some(&id()));
        assert!(asked.len() >= 3, "{asked:?}");
    }
}
