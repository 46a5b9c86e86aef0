//! Whose `/proc/<pid>/root` may lead to the file of an image whose own process is gone.
//!
//! The path of an image starts at the root of its mount namespace. So the roots of living ancestors are tried, then that of
//! any other process of that namespace, then that of the agent. Others decide whether what is found there is the file.

use std::collections::HashMap;

use super::locator::FileLocator;
use crate::clock::boottime_ns;
use crate::procfs::{Namespace, Proc, ProcFile, ProcLink, ProcessDir, StartTicks, Stat};

/// Ancestors that are tried.
const ANCESTORS: usize = 8;
/// Namespaces for which a process is cached; if there are more, the cache is emptied.
const REMEMBERED: usize = 256;
/// Longest line of `stat`.
const STAT_MAX: usize = 4096;

/// What one worker knows of the roots of mount namespaces.
#[derive(Debug, Default)]
pub(super) struct NamespaceRoots {
    searched: HashMap<u32, Search>,
}

#[derive(Clone, Copy, Debug)]
enum Search {
    /// This process is in it.
    Process(u32, StartTicks),
    /// No process was in it at this time, in nanoseconds since boot. If the number appears later, it is another namespace:
    /// the kernel reuses numbers.
    Nobody(u64),
}

impl NamespaceRoots {
    /// The processes to try, in order: each is looked for only if the one before had no answer. `seen_ns` is when a process of
    /// the locator's namespace was observed, in nanoseconds since boot.
    pub(super) fn roots<'a>(
        &'a mut self,
        locator: &'a FileLocator,
        seen_ns: u64,
        proc: &'a Proc,
    ) -> impl Iterator<Item = ProcessDir> + 'a {
        let parent = locator.parent.and_then(|(tgid, start)| proc.process(tgid, Some(start)).ok());
        let ancestors = std::iter::successors(parent, |process| parent_of(process, proc)).take(ANCESTORS);
        let mnt = locator.mnt;
        let of_namespace = std::iter::once_with(move || self.process_of(mnt?, seen_ns, proc)).flatten();
        let agent = std::iter::once_with(|| proc.process(std::process::id(), None).ok()).flatten();
        ancestors.chain(of_namespace).chain(agent)
    }

    /// A process in the mount namespace whose root is that of the namespace. The search is a walk over /proc and takes some
    /// milliseconds.
    fn process_of(&mut self, mnt: u32, seen_ns: u64, proc: &Proc) -> Option<ProcessDir> {
        match self.searched.get(&mnt) {
            Some(Search::Nobody(at_ns)) if seen_ns <= *at_ns => return None,
            Some(Search::Process(tgid, start)) => {
                let process = proc.process(*tgid, Some(*start)).ok();
                if let Some(process) = process.filter(|process| is_of(process, mnt)) {
                    return Some(process);
                }
            }
            Some(Search::Nobody(_)) | None => {}
        }
        let begun_ns = boottime_ns();
        let tgids = proc.tgids().unwrap_or_default();
        let mut processes = tgids.into_iter().filter_map(|tgid| proc.process(tgid, None).ok());
        let process = processes.find(|process| is_of(process, mnt));
        if self.searched.len() >= REMEMBERED {
            self.searched.clear();
        }
        let found = process.as_ref().map(|process| Search::Process(process.tgid(), process.start()));
        self.searched.insert(mnt, found.unwrap_or(Search::Nobody(begun_ns)));
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
    // A parent that ends now hands its children over. A process that reuses its id is tried in vain, no worse.
    (parent != 0).then(|| proc.process(parent, None).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::process::id;

    use super::{FileLocator, NamespaceRoots};
    use crate::procfs::{Namespace, Proc, StartTicks};

    #[test]
    fn the_agent_itself_is_tried_if_all_others_are_gone() {
        let proc = Proc::live().unwrap();
        let nobody = (u32::MAX, StartTicks(0));
        let locator =
            FileLocator { tgid: nobody.0, start: nobody.1, parent: Some(nobody), mnt: Some(1), path: None };
        let mut roots = NamespaceRoots::default();
        let tried: Vec<_> = roots.roots(&locator, 1, &proc).map(|process| process.tgid()).collect();
        assert_eq!(tried, [id()]);
    }

    #[test]
    fn an_empty_namespace_is_searched_again_when_its_number_appears_later() {
        let proc = Proc::live().unwrap();
        let this = proc.process(id(), None).unwrap();
        let mnt = this.namespace(Namespace::Mnt).unwrap();
        let mut roots = NamespaceRoots::default();
        roots.searched.insert(mnt, super::Search::Nobody(1000));
        assert!(roots.process_of(mnt, 1000, &proc).is_none());
        assert!(roots.process_of(mnt, 1001, &proc).is_some());
    }

    #[test]
    fn ancestors_are_tried_first_and_then_any_process_of_the_namespace() {
        let proc = Proc::live().unwrap();
        let this = proc.process(id(), None).unwrap();
        let locator = FileLocator {
            tgid: u32::MAX,
            start: StartTicks(0),
            parent: Some((id(), this.start())),
            mnt: this.namespace(Namespace::Mnt).ok(),
            path: None,
        };
        let mut roots = NamespaceRoots::default();
        let tried: Vec<_> = roots.roots(&locator, 1, &proc).map(|process| process.tgid()).collect();
        assert_eq!(tried.first(), Some(&id()));
        assert!(tried.len() >= 3, "{tried:?}");
    }
}
