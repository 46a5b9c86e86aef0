//! Whether the agent runs in the machine's initial namespaces or in those of a container.

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
    /// Whether the agent's namespace is the initial one. Without /proc the answer is yes: another check then says that
    /// /proc is missing.
    pub(super) fn is_initial(self) -> bool {
        let (name, initial) = self.in_proc();
        let namespaces = Process::myself().and_then(|process| process.namespaces());
        let own = namespaces.ok().and_then(|all| all.0.get(OsStr::new(name)).map(|own| own.identifier));
        own.is_none_or(|inode| inode == initial)
    }

    /// Its name in /proc/self/ns, and the inode of the initial one: `PROC_*_INIT_INO` of `include/linux/proc_ns.h`.
    fn in_proc(self) -> (&'static str, u64) {
        match self {
            Self::Cgroup => ("cgroup", 0xEFFF_FFFB),
            Self::Pid => ("pid", 0xEFFF_FFFC),
            Self::User => ("user", 0xEFFF_FFFD),
        }
    }
}
