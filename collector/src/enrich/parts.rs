//! Parts of events that many processes share, made once for each thing that they tell of.
//!
//! Short processes come in thousands and are alike: the same files, namespaces, capabilities, the same environment. What
//! is made of these is kept, within bounds, with the JSON that it is written as ([`Shared`]).

use std::{borrow::Borrow, hash::Hash, rc::Rc};

use collector_common::{FileIdentity, NamespaceIds, TaskState};
use rustc_hash::FxHashMap;

use super::{
    capability::capability_names,
    image::Variables,
    process::{char_device, known},
};
use crate::event::{self, Shared, Timestamp};

/// Things of one kind whose part is kept.
const KEPT: usize = 1024;
/// Environments that are kept.
const ENVIRONMENTS: usize = 64;
/// Bytes of the largest environment that is kept.
const ENVIRONMENT_MAX: usize = 16 << 10;

/// Bits of `mode` that are permissions, and the two that change who it runs as.
const PERMISSIONS: u16 = 0o7777;
const SETUID: u16 = 0o4000;
const SETGID: u16 = 0o2000;

/// What is kept of one kind. All of it is forgotten when there is too much: what is in use is made again at once.
#[derive(Debug)]
pub(super) struct Interned<K, V> {
    values: FxHashMap<K, V>,
    most: usize,
}

impl<K: Hash + Eq, V: Clone> Interned<K, V> {
    /// With room for so many.
    pub(super) fn new(most: usize) -> Self {
        Self { values: FxHashMap::default(), most }
    }

    /// What is kept for this key.
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key).cloned()
    }

    /// Keeps a value.
    pub(super) fn keep(&mut self, key: K, value: V) {
        if self.values.len() >= self.most {
            self.values.clear();
        }
        self.values.insert(key, value);
    }

    /// What is kept for this key, or is made for it now.
    pub(super) fn get_or(&mut self, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some(value) = self.get(&key) {
            return value;
        }
        let value = make(&key);
        self.keep(key, value.clone());
        value
    }
}

/// The parts that are kept.
#[derive(Debug)]
pub(super) struct Parts {
    namespaces: Interned<(NamespaceIds, u32), Shared<event::Namespaces>>,
    capabilities: Interned<(u64, u64), Shared<event::Capabilities>>,
    files: Interned<(FileIdentity, bool), Shared<event::Exe>>,
    environments: Interned<Box<[u8]>, Rc<Variables>>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            namespaces: Interned::new(KEPT),
            capabilities: Interned::new(KEPT),
            files: Interned::new(KEPT),
            environments: Interned::new(ENVIRONMENTS),
        }
    }
}

impl Parts {
    /// `process.namespaces`
    pub(super) fn namespaces(&mut self, of: &NamespaceIds, state: &TaskState) -> Shared<event::Namespaces> {
        self.namespaces.get_or((*of, state.net_namespace), |(of, net)| {
            let event = event::Namespaces {
                mnt: known(of.mnt),
                pid: known(of.pid),
                net: known(*net),
                user: known(of.user),
                uts: known(of.uts),
                ipc: known(of.ipc),
                cgroup: known(of.cgroup),
            };
            event.into()
        })
    }

    /// `process.thread.capabilities`
    pub(super) fn capabilities(&mut self, state: &TaskState) -> Shared<event::Capabilities> {
        self.capabilities.get_or((state.cap_effective, state.cap_permitted), |&(effective, permitted)| {
            let [effective, permitted] = [effective, permitted].map(capability_names);
            event::Capabilities { effective, permitted }.into()
        })
    }

    /// `process.exe`
    pub(super) fn exe(&mut self, file: &FileIdentity, memfd: bool) -> Shared<event::Exe> {
        self.files.get_or((*file, memfd), |&(file, memfd)| exe(&file, memfd).into())
    }

    /// The variables of an environment, which `make` makes of its bytes. One of which a part was hidden is not kept, since
    /// its bytes would be.
    pub(super) fn environment(&mut self, bytes: &[u8], make: impl FnOnce() -> Variables) -> Rc<Variables> {
        if let Some(variables) = self.environments.get(bytes) {
            return variables;
        }
        let variables = Rc::new(make());
        if variables.redacted.is_empty() && bytes.len() <= ENVIRONMENT_MAX {
            self.environments.keep(bytes.into(), variables.clone());
        }
        variables
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

#[cfg(test)]
mod tests {
    use super::{Interned, Parts, Variables};

    #[test]
    fn what_is_kept_is_not_made_again_and_all_is_forgotten_when_there_is_too_much() {
        let mut interned = Interned::new(2);
        assert_eq!(interned.get_or(1, |key| key * 10), 10);
        assert_eq!(interned.get_or(1, |_| unreachable!("it is kept")), 10);
        interned.keep(2, 20);
        interned.keep(3, 30);
        assert_eq!((interned.get(&1), interned.get(&3)), (None, Some(30)));
    }

    #[test]
    fn an_environment_with_a_secret_is_not_kept() {
        let mut parts = Parts::default();
        let made = |redacted: Vec<usize>| Variables { redacted, ..Variables::default() };
        parts.environment(b"PASSWORD=x\0", || made(vec![0]));
        parts.environment(b"HOME=/\0", || made(vec![]));
        assert!(parts.environments.get(&b"PASSWORD=x\0"[..]).is_none());
        assert!(parts.environments.get(&b"HOME=/\0"[..]).is_some());
    }
}
