//! Users and groups: their numbers and names.

use std::{path::Path, sync::Arc, time::Instant};

use collector_common::{Credentials, NamespaceIds};

use super::user::{RECHECK, Users};
use crate::{
    event::{self, Group, Shared, User},
    fact::nonzero,
    interned::Interned,
    procfs::{ProcFile, ProcessDir, ReadError, id_map},
};

/// Numbers whose text, and credentials whose names are cached.
const TEXTS_MAX: usize = 4096;
/// Most bytes of a `uid_map` that are read: the kernel writes at most 340 lines.
const MAP_MAX: usize = 16 << 10;

/// The users and groups of a process.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// Effective.
    pub user: Shared<User>,
    /// Real.
    pub real_user: Shared<User>,
    /// Saved.
    pub saved_user: Shared<User>,
    /// Effective.
    pub group: Shared<Group>,
    /// Real.
    pub real_group: Shared<Group>,
    /// Saved.
    pub saved_group: Shared<Group>,
    /// For access to files, if it is not the effective one.
    pub fs_user: Option<Shared<User>>,
    /// For access to files, if it is not the effective one.
    pub fs_group: Option<Shared<Group>>,
}

impl Named {
    /// Writes them into an event.
    pub(super) fn write(self, process: &mut event::Process) {
        process.user = Some(self.user);
        process.real_user = Some(self.real_user);
        process.saved_user = Some(self.saved_user);
        process.group = Some(self.group);
        process.real_group = Some(self.real_group);
        process.saved_group = Some(self.saved_group);
        (process.fs_user, process.fs_group) = (self.fs_user, self.fs_group);
    }
}

/// The namespaces that decide which names a process's ids have, by inode number; `None` if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    mnt: Option<u32>,
    user: Option<u32>,
}

impl View {
    /// From the numbers of a record, in which 0 means unknown.
    pub(super) fn new(mnt: u32, user: u32) -> Self {
        Self { mnt: nonzero(mnt), user: nonzero(user) }
    }

    /// The view of a process in these namespaces.
    pub(super) fn of(namespaces: &NamespaceIds) -> Self {
        Self::new(namespaces.mnt, namespaces.user)
    }
}

/// Looks names up.
#[derive(Debug)]
pub(super) struct CredentialNames {
    users: Users,
    own: View,
    now: Instant,
    texts: Interned<u32, Arc<str>>,
    of_host: Interned<Credentials, Named>,
    of_host_since: Instant,
}

impl CredentialNames {
    /// For an agent in these namespaces.
    #[must_use]
    pub(super) fn new(own: View) -> Self {
        let now = Instant::now();
        Self {
            users: Users::new("/".into(), own.mnt),
            own,
            now,
            texts: Interned::new(TEXTS_MAX),
            of_host: Interned::new(TEXTS_MAX),
            of_host_since: now,
        }
    }

    /// Sets the time by which cached names get old.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// The users and groups of credentials. `process` is opened only for a process in another mount or user namespace.
    pub(super) fn of(
        &mut self,
        credentials: &Credentials,
        view: View,
        process: &mut dyn FnMut() -> Result<ProcessDir, ReadError>,
    ) -> Named {
        // Files of the host's own namespaces are checked again after a second, and so is this cache.
        let of_host = view == self.own;
        if of_host && self.now.saturating_duration_since(self.of_host_since) >= RECHECK {
            self.of_host.clear();
            self.of_host_since = self.now;
        }
        if let Some(named) = self.of_host.get(credentials).filter(|_| of_host) {
            return named;
        }
        let named = Lookup { names: self, view, process }.all(credentials);
        if of_host {
            self.of_host.insert(*credentials, named.clone());
        }
        named
    }

    fn text(&mut self, id: u32) -> Arc<str> {
        self.texts.get_or_insert_with(id, |id| id.to_string().into())
    }
}

/// The look-ups for one process.
struct Lookup<'a> {
    names: &'a mut CredentialNames,
    view: View,
    process: &'a mut dyn FnMut() -> Result<ProcessDir, ReadError>,
}

impl Lookup<'_> {
    fn all(&mut self, credentials: &Credentials) -> Named {
        let Credentials { uid, gid, suid, sgid, euid, egid, fsuid, fsgid } = *credentials;
        Named {
            user: self.user(euid),
            real_user: self.user(uid),
            saved_user: self.user(suid),
            group: self.group(egid),
            real_group: self.group(gid),
            saved_group: self.group(sgid),
            fs_user: (fsuid != euid).then(|| self.user(fsuid)),
            fs_group: (fsgid != egid).then(|| self.group(fsgid)),
        }
    }

    fn user(&mut self, id: u32) -> Shared<User> {
        let name = self.inside(id, ProcFile::UidMap).and_then(|inside| {
            let Self { names, view, process } = self;
            names.users.user(names.now, view.mnt, inside, |path: &Path| process()?.open_below_root(path))
        });
        User { id: Some(self.names.text(id)), name }.into()
    }

    fn group(&mut self, id: u32) -> Shared<Group> {
        let name = self.inside(id, ProcFile::GidMap).and_then(|inside| {
            let Self { names, view, process } = self;
            names.users.group(names.now, view.mnt, inside, |path: &Path| process()?.open_below_root(path))
        });
        Group { id: Some(self.names.text(id)), name }.into()
    }

    /// The number in the process's own user namespace, which its passwd file uses. `None` if a namespace is unknown: the
    /// host's name may be another user's.
    fn inside(&mut self, id: u32, map: ProcFile) -> Option<u32> {
        if self.view.mnt.is_none() && self.names.own.mnt.is_some() {
            return None;
        }
        if self.view.user == self.names.own.user {
            return Some(id);
        }
        let mut bytes = Vec::new();
        (self.process)().ok()?.read_into(map, &mut bytes, MAP_MAX).ok()?;
        id_map::inside(&bytes, id)
    }
}
