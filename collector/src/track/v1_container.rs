//! The container of a process in the version 1 cgroup hierarchies.
//!
//! The kernel side sends the place in the version 2 hierarchy. Where version 1 is mounted beside it, a runtime may put its
//! containers there alone; then /proc/PID/cgroup shows them. It is read when a process comes into other cgroups.

use std::num::NonZeroU32;

use collector_common::TaskState;

use super::{
    container::Container,
    process::{is_kernel, key_of, open},
    tracker::Tracker,
};
use crate::{
    fact::{Fact, Origin, Reason},
    process::ProcessKey,
    procfs::{ProcFile, ProcessDir, Read, ReadError, cgroup::memberships},
};

/// Most bytes of /proc/PID/cgroup that are read: a dozen hierarchies, each with a path of at most a page.
const MAX: usize = 64 << 10;

impl Tracker {
    /// The container that the version 1 hierarchies show. A process in the same cgroups as before, or as the process that
    /// forked it, is in the same container; for others /proc is read. If that fails, the process keeps what was known.
    pub(super) fn v1_container(
        &self,
        state: &TaskState,
        forker: Option<ProcessKey>,
        cgroups: Option<NonZeroU32>,
    ) -> Fact<Container> {
        if !self.machine.mixed_cgroups || is_kernel(state) {
            return Fact::NotApplicable;
        }
        let key = key_of(state);
        let before = self.get(key).or_else(|| self.get(forker?));
        // A recording of an earlier version does not identify the cgroups: there only a fork changes nothing.
        let is_identified = cgroups.is_some() || forker.is_some();
        if let Some(before) = before.filter(|before| is_identified && before.cgroups == cgroups)
            && !matches!(before.v1_container, Fact::Missing(_))
        {
            return before.v1_container.clone();
        }
        match open(&self.proc, key).and_then(|process| read(&process)) {
            Ok(Fact::Missing(reason)) => {
                before.map_or(Fact::Missing(reason), |before| before.v1_container.clone())
            }
            Ok(container) => container,
            Err(error) => before.map_or(Fact::Missing(error.into()), |before| before.v1_container.clone()),
        }
    }
}

fn read(process: &ProcessDir) -> Result<Fact<Container>, ReadError> {
    let mut bytes = Vec::new();
    let Read { truncated } = process.read_into(ProcFile::Cgroup, &mut bytes, MAX)?;
    if truncated {
        return Ok(Fact::Missing(Reason::TooLarge));
    }
    // Each process is in some group.
    if memberships(&bytes).next().is_none() {
        return Ok(Fact::Missing(Reason::Unsupported));
    }
    let mut paths = memberships(&bytes).filter_map(|membership| str::from_utf8(membership.path).ok());
    let container = paths.find_map(Container::of_path);
    Ok(container.map_or(Fact::NotApplicable, |container| Fact::whole(container, Origin::Proc)))
}
