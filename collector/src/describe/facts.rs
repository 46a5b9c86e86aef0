//! What filter rules are about.

use crate::{event, filter::Facts};

/// The facts of a process as its event has them.
pub(crate) fn facts(process: &event::Process) -> Facts<'_> {
    let cgroup = process.cgroup.as_ref().and_then(|cgroup| Some((cgroup.id?, cgroup.path.as_deref()?)));
    let parent = process.parent.as_ref().and_then(|parent| parent.executable.as_deref());
    Facts {
        uid: process.user.as_ref().and_then(|user| user.id.as_ref()?.parse().ok()),
        comm: process.comm.as_deref(),
        cgroup,
        image: process.executable.as_deref(),
        parent,
    }
}
