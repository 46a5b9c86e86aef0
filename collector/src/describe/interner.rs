//! Parts of events that many processes share, made once for each thing that they describe.
//!
//! Short processes come in thousands and resemble each other: the same files, namespaces and capabilities. Their parts are
//! cached together with the JSON that they are written as ([`Shared`]).

use collector_common::{FileIdentity, NamespaceIds, TaskState};

use super::capability::capability_names;
use crate::{
    event::{self, Shared, Timestamp},
    fact::nonzero,
    interned::Interned,
};

/// Parts of one kind that are cached.
const CACHED: usize = 1024;
/// `MINORBITS` of the kernel's device numbers.
const MINOR_BITS: u32 = 20;

/// Bits of `mode` that are permissions, and the two that change the user and group that it runs as.
const PERMISSIONS: u16 = 0o7777;
const SETUID: u16 = 0o4000;
const SETGID: u16 = 0o2000;

/// Caches of parts.
#[derive(Debug)]
pub(super) struct Interner {
    namespaces: Interned<(NamespaceIds, u32), Shared<event::Namespaces>>,
    capabilities: Interned<(u64, u64), Shared<event::Capabilities>>,
    files: Interned<(FileIdentity, bool), Shared<event::Exe>>,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            namespaces: Interned::new(CACHED),
            capabilities: Interned::new(CACHED),
            files: Interned::new(CACHED),
        }
    }
}

impl Interner {
    /// `process.namespaces`
    pub(super) fn namespaces(&mut self, of: &NamespaceIds, state: &TaskState) -> Shared<event::Namespaces> {
        self.namespaces.get_or_insert_with((*of, state.net_namespace), |(of, net)| {
            let event = event::Namespaces {
                mnt: nonzero(of.mnt),
                pid: nonzero(of.pid),
                net: nonzero(*net),
                user: nonzero(of.user),
                uts: nonzero(of.uts),
                ipc: nonzero(of.ipc),
                cgroup: nonzero(of.cgroup),
            };
            event.into()
        })
    }

    /// `process.thread.capabilities`
    pub(super) fn capabilities(&mut self, state: &TaskState) -> Shared<event::Capabilities> {
        self.capabilities.get_or_insert_with(
            (state.cap_effective, state.cap_permitted),
            |&(effective, permitted)| {
                let [effective, permitted] = [effective, permitted].map(capability_names);
                event::Capabilities { effective, permitted }.into()
            },
        )
    }

    /// `process.exe`
    pub(super) fn exe(&mut self, file: &FileIdentity, memfd: bool) -> Shared<event::Exe> {
        self.files.get_or_insert_with((*file, memfd), |&(file, memfd)| exe(&file, memfd).into())
    }
}

fn exe(file: &FileIdentity, memfd: bool) -> event::Exe {
    let when = file.ctime_s.saturating_mul(1_000_000_000).saturating_add(file.ctime_ns.into());
    let device = char_device(file.device);
    event::Exe {
        device: Some(format!("{}:{}", device.major, device.minor)),
        inode: Some(file.inode),
        size: Some(file.size),
        ctime: Some(Timestamp(when)),
        mode: Some(format!("{:04o}", file.mode & PERMISSIONS)),
        uid: Some(file.uid),
        links: Some(file.links),
        deleted: (file.links == 0).then_some(true),
        memfd: memfd.then_some(true),
        setuid: (file.mode & SETUID != 0).then_some(true),
        setgid: (file.mode & SETGID != 0).then_some(true),
    }
}

/// A device number of the kernel, as its two parts.
pub(super) fn char_device(device: u32) -> event::CharDevice {
    event::CharDevice { major: device >> MINOR_BITS, minor: device & ((1 << MINOR_BITS) - 1) }
}
