//! The cgroup and the container of a process.
//!
//! The kernel side tells the place in the version 2 hierarchy. Where version 1 is mounted beside it, a runtime may have put
//! its containers there alone; /proc/PID/cgroup then tells, read where a process came into other cgroups.

use collector_common::TaskState;

use super::{
    Enricher,
    container::container_of,
    image::reason,
    key_of, open,
    process::{Fields, is_kernel},
};
use crate::{
    event::{self, Capture, Shared},
    known::{Known, Origin, Reason},
    process::ProcessKey,
    procfs::{ProcFile, Read, cgroup::memberships},
};

/// Most bytes of /proc/PID/cgroup that are read: a dozen hierarchies, each with a path of at most a page.
const MAX: usize = 64 << 10;

/// A cgroup, and the container that its path tells.
pub(super) type Membership = (Shared<event::Cgroup>, Option<event::Container>);

impl Enricher {
    /// `process.cgroup` and `container`. `v1_container` is what version 1 cgroups have told.
    pub(super) fn cgroup(
        &mut self,
        v1_container: &Known<event::Container>,
        state: &TaskState,
        capture: &mut Capture,
    ) -> (Option<Shared<event::Cgroup>>, Option<event::Container>) {
        let id = state.cgroup_id;
        if id == 0 {
            // Found in /proc, which tells no ids.
            Fields { capture, inherited: false }.missing("process.cgroup", Reason::Unsupported);
            return (None, in_v1(v1_container, capture));
        }
        let (cgroup, mut container) = match self.memberships.get(&id) {
            Some(kept) => kept,
            None => self.membership(id, capture),
        };
        if container.is_none() {
            container = in_v1(v1_container, capture);
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

    /// Whether version 1 may tell of a container: not of the kernel's own tasks.
    pub(super) fn may_be_in_v1(&self, state: &TaskState) -> bool {
        self.machine.mixed_cgroups && !is_kernel(state)
    }

    /// The container that the version 1 hierarchies tell. Who is in the same cgroups as before, or as the process that
    /// forked it, is in the same container; of others /proc is read. One that is gone keeps what was known of it.
    pub(super) fn v1_container(
        &self,
        state: &TaskState,
        forker: Option<ProcessKey>,
        cgroups: u32,
    ) -> Known<event::Container> {
        if !self.may_be_in_v1(state) {
            return Known::None;
        }
        let key = key_of(state);
        let before = self.table.get(key).or_else(|| self.table.get(forker?)).map(|entry| &entry.process);
        // A recording of an earlier version does not name them: there a fork alone changes nothing.
        let is_named = cgroups != 0 || forker.is_some();
        if let Some(before) = before.filter(|before| is_named && before.cgroups == cgroups)
            && !matches!(before.v1_container, Known::Missing(_))
        {
            return before.v1_container.clone();
        }
        let mut bytes = Vec::new();
        let read =
            open(&self.proc, key).and_then(|process| process.read_into(ProcFile::Cgroup, &mut bytes, MAX));
        // Each process is in some group.
        let unreadable = match read {
            Ok(Read { truncated: true }) => Some(Reason::TooLarge),
            Ok(_) => memberships(&bytes).next().is_none().then_some(Reason::Unsupported),
            Err(error) => Some(reason(error)),
        };
        if let Some(reason) = unreadable {
            return before.map_or(Known::Missing(reason), |before| before.v1_container.clone());
        }
        let mut paths = memberships(&bytes).filter_map(|membership| str::from_utf8(membership.path).ok());
        paths.find_map(container).map_or(Known::None, |found| Known::whole(found, Origin::Proc))
    }
}

/// The container that version 1 tells, or the note why that is not known.
fn in_v1(known: &Known<event::Container>, capture: &mut Capture) -> Option<event::Container> {
    Fields { capture, inherited: false }.take("container.id", known, event::Container::clone)
}

fn container(path: &str) -> Option<event::Container> {
    let found = container_of(path)?;
    Some(event::Container { id: Some(found.id.as_ref().into()), runtime: found.runtime.map(Into::into) })
}
