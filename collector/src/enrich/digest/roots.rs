//! Whose `/proc/<pid>/root` may lead to the file of an image whose own process is gone.
//!
//! The path of an image is told from the root of its mount namespace. So it is looked for below the roots of the
//! ancestors that live, of any other process of that namespace, and of the agent. Whether what is found there is the file
//! is not decided here.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::pool::Candidate;
use crate::procfs::{Namespace, Proc, ProcFile, ProcLink, ProcessDir, StartTicks, Stat};

/// Ancestors that are asked.
const ANCESTORS: usize = 8;
/// Namespaces of which a process is remembered; all are forgotten when there are more.
const REMEMBERED: usize = 256;
/// How long it is remembered that a namespace has no process: a walk over /proc takes some milliseconds.
const EMPTY_FOR: Duration = Duration::from_secs(1);
/// Longest line of `stat`.
const STAT_MAX: usize = 4096;

/// What one thread of the pool knows of mount namespaces.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    found: HashMap<u32, Found>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    process: Option<(u32, StartTicks)>,
    at: Instant,
}

impl Namespaces {
    /// The processes to ask, one after the other: each is looked for only when the one before had no answer.
    pub(super) fn roots<'a>(
        &'a mut self,
        candidate: &'a Candidate,
        proc: &'a Proc,
    ) -> impl Iterator<Item = ProcessDir> + 'a {
        let parent = proc.process(candidate.parent.0, Some(candidate.parent.1)).ok();
        let ancestors = std::iter::successors(parent, |process| parent_of(process, proc)).take(ANCESTORS);
        let mnt = candidate.mnt;
        let of_namespace = std::iter::once_with(move || self.process_of(mnt, proc)).flatten();
        let agent = std::iter::once_with(|| proc.process(std::process::id(), None).ok()).flatten();
        ancestors.chain(of_namespace).chain(agent)
    }

    /// A process of the mount namespace that has its root for its own.
    fn process_of(&mut self, mnt: u32, proc: &Proc) -> Option<ProcessDir> {
        if let Some(found) = self.found.get(&mnt) {
            match found.process {
                None if found.at.elapsed() < EMPTY_FOR => return None,
                Some((tgid, start)) => {
                    let process = proc.process(tgid, Some(start)).ok();
                    if let Some(process) = process.filter(|process| is_of(process, mnt)) {
                        return Some(process);
                    }
                }
                None => {}
            }
        }
        let tgids = proc.tgids().unwrap_or_default();
        let mut processes = tgids.into_iter().filter_map(|tgid| proc.process(tgid, None).ok());
        let process = processes.find(|process| is_of(process, mnt));
        if self.found.len() >= REMEMBERED {
            self.found.clear();
        }
        let named = process.as_ref().map(|process| (process.tgid(), process.start()));
        self.found.insert(mnt, Found { process: named, at: Instant::now() });
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
        enrich::digest::Candidate,
        procfs::{Namespace, Proc, StartTicks},
    };

    #[test]
    fn where_everybody_else_is_gone_the_agent_itself_is_asked() {
        let proc = Proc::live().unwrap();
        let nobody = (u32::MAX, StartTicks(0));
        let candidate = Candidate { tgid: nobody.0, start: nobody.1, parent: nobody, mnt: 1, path: None };
        let mut namespaces = Namespaces::default();
        let asked: Vec<_> = namespaces.roots(&candidate, &proc).map(|process| process.tgid()).collect();
        assert_eq!(asked, [id()]);
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
        let asked: Vec<_> = namespaces.roots(&candidate, &proc).map(|process| process.tgid()).collect();
        assert_eq!(asked.first(), Some(&id()));
        assert!(asked.len() >= 3, "{asked:?}");
    }
}
