//! The cgroup and the container of a process.
//!
//! The kernel side tells the place in the version 2 hierarchy. Where version 1 is mounted beside it, a runtime may have put
//! its containers there alone; /proc/PID/cgroup then tells, read where a process came into other cgroups.

use collector_common::TaskState;

use super::{Enricher, container::container_of, open, process::Fields};
use crate::{
    event::{self, Capture, Shared},
    known::Reason,
    process::ProcessKey,
    procfs::{ProcFile, cgroup::memberships},
};

/// Most bytes of /proc/PID/cgroup that are read: a dozen hierarchies, each with a path of at most a page.
const MAX: usize = 64 << 10;

/// A cgroup, and the container that its path tells.
pub(super) type Membership = (Shared<event::Cgroup>, Option<event::Container>);

impl Enricher {
    /// `process.cgroup` and `container`. `v1_container` is what version 1 cgroups have told.
    pub(super) fn cgroup(
        &mut self,
        v1_container: Option<&event::Container>,
        state: &TaskState,
        capture: &mut Capture,
    ) -> (Option<Shared<event::Cgroup>>, Option<event::Container>) {
        let id = state.cgroup_id;
        if id == 0 {
            // Found in /proc, which tells no ids.
            Fields { capture, inherited: false }.missing("process.cgroup", Reason::Unsupported);
            return (None, v1_container.cloned());
        }
        let (cgroup, mut container) = match self.memberships.get(&id) {
            Some(kept) => kept,
            None => self.membership(id, capture),
        };
        if container.is_none() && v1_container.is_some() {
            container = v1_container.cloned();
            capture.origin.insert("container.id".into(), event::Origin::Proc);
        }
        (Some(cgroup), container)
    }

    fn membership(&mut self, id: u64, capture: &mut Capture) -> Membership {
        let path = self.cgroups.as_mut().and_then(|cgroups| cgroups.path(id));
        let container = path.as_deref().and_then(container);
        let found = path.is_some();
        let membership = (event::Cgroup { id: Some(id), path }.into(), container);
        if found {
            self.memberships.keep(id, membership.clone());
        } else {
            let reason = if self.cgroups.is_some() { Reason::Exited } else { Reason::Unsupported };
            Fields { capture, inherited: false }.missing("process.cgroup.path", reason);
        }
        membership
    }

    /// The container that the version 1 hierarchies tell. Who is in the same cgroups as before, or as the process that
    /// forked it, is in the same container; of others /proc is read. One that is gone keeps what was known of it.
    pub(super) fn v1_container(
        &self,
        key: ProcessKey,
        forker: Option<ProcessKey>,
        cgroups: u32,
    ) -> Option<event::Container> {
        if !self.machine.mixed_cgroups {
            return None;
        }
        let before = self.table.get(key).or_else(|| self.table.get(forker?)).map(|entry| &entry.process);
        let known = || before.and_then(|process| process.v1_container.clone());
        if cgroups != 0 && before.is_some_and(|process| process.cgroups == cgroups) {
            return known();
        }
        let mut bytes = Vec::new();
        let read =
            open(&self.proc, key).and_then(|process| process.read_into(ProcFile::Cgroup, &mut bytes, MAX));
        if read.is_err() {
            return known();
        }
        memberships(&bytes).filter_map(|membership| str::from_utf8(membership.path).ok()).find_map(container)
    }
}

fn container(path: &str) -> Option<event::Container> {
    let found = container_of(path)?;
    Some(event::Container { id: Some(found.id.as_ref().into()), runtime: found.runtime.map(Into::into) })
}
