//! `process.cgroup` and `container`.

use std::sync::Arc;

use super::{cgroup::Cgroups, notes::Notes};
use crate::{
    event::{self, Shared},
    fact::{Fact, Reason},
    interned::Interned,
    track::{Container, Subject, is_kernel},
};

/// Groups that are cached. A node of Kubernetes has some hundreds. A host that starts a unit for each job has more; then the
/// cache evicts groups that were not used lately.
const CAPACITY: usize = 4096;

/// A cgroup, and the container that its path names.
type Membership = (Shared<event::Cgroup>, Option<event::Container>);

/// Cgroups by id.
pub(super) struct Memberships {
    cgroups: Option<Cgroups>,
    /// Why a group has no path.
    no_path: Reason,
    mixed_with_v1: bool,
    cache: Interned<u64, Membership>,
}

impl Memberships {
    /// `mixed_with_v1`: version 1 is mounted too, and containers may be there alone. `replay`: the machine is gone.
    pub(super) fn new(cgroups: Option<Cgroups>, mixed_with_v1: bool, replay: bool) -> Self {
        let no_path = match cgroups {
            Some(_) => Reason::Exited,
            None if replay => Reason::Replay,
            None => Reason::Unsupported,
        };
        Self { cgroups, no_path, mixed_with_v1, cache: Interned::new(CAPACITY) }
    }

    /// `process.cgroup` and `container`.
    pub(super) fn describe(
        &mut self,
        subject: &Subject<'_>,
        notes: &mut Notes<'_>,
    ) -> (Option<Shared<event::Cgroup>>, Option<event::Container>) {
        let id = subject.state.cgroup_id;
        if id == 0 {
            // The process was read from /proc, which has no ids.
            notes.missing("process.cgroup", Reason::Unsupported);
            return (None, self.v1_container(subject, notes));
        }
        let cgroups = &self.cgroups;
        let found = cached(&mut self.cache, id, |id| cgroups.as_ref().and_then(|cgroups| cgroups.path(id)));
        let (cgroup, mut container) = found.unwrap_or_else(|| {
            notes.missing("process.cgroup.path", self.no_path);
            (event::Cgroup { id: Some(id), path: None }.into(), None)
        });
        if container.is_none() {
            container = self.v1_container(subject, notes);
        }
        (Some(cgroup), container)
    }

    /// The container that version 1 cgroups show, or the note why it is unknown.
    fn v1_container(&self, subject: &Subject<'_>, notes: &mut Notes<'_>) -> Option<event::Container> {
        let unknown: Fact<Container>;
        let container = match &subject.process {
            Ok(process) => &process.v1_container,
            Err(reason) => {
                let may_be_in_v1 = self.mixed_with_v1 && !is_kernel(subject.state);
                unknown = if may_be_in_v1 { Fact::Missing(*reason) } else { Fact::NotApplicable };
                &unknown
            }
        };
        notes.take("container.id", container, to_event)
    }
}

/// The membership of a group. One that is not found is not cached, since the next id may be looked up while its group lives.
fn cached(
    cache: &mut Interned<u64, Membership>,
    id: u64,
    find: impl FnOnce(u64) -> Option<Arc<str>>,
) -> Option<Membership> {
    if let Some(membership) = cache.get(&id) {
        return Some(membership);
    }
    let path = find(id)?;
    let container = Container::of_path(&path).as_ref().map(to_event);
    let membership = (event::Cgroup { id: Some(id), path: Some(path) }.into(), container);
    cache.insert(id, membership.clone());
    Some(membership)
}

fn to_event(container: &Container) -> event::Container {
    event::Container { id: Some(container.id.clone()), runtime: container.runtime.clone() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{CAPACITY, Interned, cached};

    #[test]
    fn a_cached_group_is_not_looked_up_again() {
        let mut cache = Interned::new(CAPACITY);
        let path = |found: Option<super::Membership>| found.and_then(|(cgroup, _)| cgroup.path.clone());
        assert_eq!(path(cached(&mut cache, 7, |_| Some(Arc::from("/a")))).as_deref(), Some("/a"));
        assert_eq!(path(cached(&mut cache, 7, |_| unreachable!())).as_deref(), Some("/a"));
    }

    #[test]
    fn a_group_that_was_not_found_is_looked_up_again() {
        let mut cache = Interned::new(CAPACITY);
        assert!(cached(&mut cache, 7, |_| None).is_none());
        assert!(cached(&mut cache, 7, |_| Some(Arc::from("/a"))).is_some());
    }

    #[test]
    fn a_full_cache_evicts_and_keeps_the_latest_group() {
        let mut cache = Interned::new(CAPACITY);
        let last = 2 * u64::try_from(CAPACITY).unwrap();
        for id in 0..=last {
            cached(&mut cache, id, |_| Some(Arc::from("/a")));
        }
        assert!(cache.len() <= CAPACITY, "{}", cache.len());
        assert!(cached(&mut cache, last, |_| None).is_some());
    }
}
