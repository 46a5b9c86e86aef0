//! Whether the agent runs in the machine's own namespaces or in those of a container.

use std::ffi::OsStr;

use procfs::process::Process;

/// A kind of namespace that matters to the agent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Namespace {
    Cgroup,
    Pid,
    User,
}

impl Namespace {
    /// Whether the agent's own is the machine's first. Where /proc does not tell it is taken for that, since other
    /// checks then say that /proc is missing.
    pub(super) fn is_initial(self) -> bool {
        let (name, initial) = self.in_proc();
        let namespaces = Process::myself().and_then(|process| process.namespaces());
        let own = namespaces.ok().and_then(|all| all.0.get(OsStr::new(name)).map(|own| own.identifier));
        own.is_none_or(|inode| inode == initial)
    }

    /// Its name in /proc/self/ns, and the inode of the first: `PROC_*_INIT_INO` of `include/linux/proc_ns.h`.
    fn in_proc(self) -> (&'static str, u64) {
        match self {
            Self::Cgroup => ("cgroup", 0xEFFF_FFFB),
            Self::Pid => ("pid", 0xEFFF_FFFC),
            Self::User => ("user", 0xEFFF_FFFD),
        }
    }
}
