//! The facts that rules look at.

use crate::event::Process;

/// The facts that rules look at, of a process that the agent found in /proc. A fact that is absent matches no rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'p> {
    /// The effective user.
    pub uid: Option<u32>,
    /// Its name.
    pub comm: Option<&'p str>,
    /// Id and path of its cgroup.
    pub cgroup: Option<(u64, &'p str)>,
    /// The path of the image that it runs.
    pub image: Option<&'p str>,
    /// The path of the image that its parent runs.
    pub parent: Option<&'p str>,
}

impl<'p> Facts<'p> {
    /// The facts as the event of a process has them.
    #[must_use]
    pub fn of(process: &'p Process) -> Self {
        let cgroup = process.cgroup.as_ref().and_then(|cgroup| Some((cgroup.id?, cgroup.path.as_deref()?)));
        let parent = process.parent.as_ref().and_then(|parent| parent.executable.as_deref());
        Self {
            uid: process.user.as_ref().and_then(|user| user.id.as_ref()?.parse().ok()),
            comm: process.comm.as_deref(),
            cgroup,
            image: process.executable.as_deref(),
            parent,
        }
    }
}
