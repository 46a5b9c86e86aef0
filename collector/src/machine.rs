//! Constant facts of the machine and of this run, read once or taken from a recording.

use std::fs;

use rustix::system::uname;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::{WallClock, boottime_ns},
    event::{Host, HostBoot, Shared},
    procfs::{Namespace, Proc},
};

/// Facts of the machine and of this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// `host.*`
    pub host: Host,
    /// /`proc/sys/kernel/random/boot_id`; nil if it cannot be read.
    pub boot: Uuid,
    /// Release of the kernel.
    pub kernel: String,
    /// Start of this run, in nanoseconds since boot.
    pub started_ns: u64,
    /// `CLOCK_REALTIME` − `CLOCK_BOOTTIME` at the start of this run.
    pub wall_offset_ns: i64,
    /// Inode number of the agent's mount namespace; 0 if it cannot be read. Recordings have this form.
    pub mnt_namespace: u32,
    /// Inode number of the agent's user namespace, the same way.
    pub user_namespace: u32,
    /// Inode number of the agent's PID namespace, the same way.
    pub pid_namespace: u32,
    /// Whether cgroup v1 is mounted beside v2: then a container may show only in v1.
    #[serde(default)]
    pub mixed_cgroups: bool,
    /// Bytes of a page.
    pub page_size: u64,
}

impl Machine {
    /// This machine, now. The caller knows whether cgroup v1 is mounted beside v2.
    #[must_use]
    pub fn this(proc: &Proc, mixed_cgroups: bool) -> Self {
        let boot = trimmed("/proc/sys/kernel/random/boot_id");
        let uname = uname();
        let own = proc.process(std::process::id(), None).ok();
        let namespace = |which| own.as_ref().and_then(|process| process.namespace(which).ok()).unwrap_or(0);
        Self {
            boot: boot.as_deref().and_then(|boot| boot.parse().ok()).unwrap_or_default(),
            host: Host {
                id: trimmed("/etc/machine-id"),
                name: Some(Self::host_name()),
                boot: boot.map(|id| HostBoot { id }),
            },
            kernel: uname.release().to_string_lossy().into_owned(),
            started_ns: boottime_ns(),
            wall_offset_ns: WallClock::now().offset_ns(),
            mnt_namespace: namespace(Namespace::Mnt),
            user_namespace: namespace(Namespace::User),
            pid_namespace: namespace(Namespace::Pid),
            mixed_cgroups,
            page_size: u64::try_from(rustix::param::page_size()).unwrap_or(4096),
        }
    }

    /// `host.name` as it is now, in the agent's own UTS namespace.
    pub(crate) fn host_name() -> String {
        uname().nodename().to_string_lossy().into_owned()
    }

    /// `host.*`, shared by all events.
    #[must_use]
    pub fn shared_host(&self) -> Shared<Host> {
        self.host.clone().into()
    }
}

fn trimmed(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
