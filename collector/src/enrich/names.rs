//! Numbers of users and groups with their names.

use std::{path::Path, sync::Arc, time::Instant};

use collector_common::{Credentials, NamespaceIds};

use super::{
    parts::Interned,
    user::{RECHECK, Users},
};
use crate::{
    event::{Group, Shared, User},
    procfs::{ProcFile, ProcessDir, ReadError, id_map},
};

/// Numbers whose text, and credentials whose names are kept.
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
    /// For access to files, where it is not the effective one.
    pub fs_user: Option<Shared<User>>,
    /// For access to files, where it is not the effective one.
    pub fs_group: Option<Shared<Group>>,
}

/// Looks names up.
#[derive(Debug)]
pub(super) struct Names {
    users: Users,
    own_mnt: u32,
    own_user: u32,
    texts: Interned<u32, Arc<str>>,
    of_host: Interned<Credentials, Named>,
    of_host_since: Instant,
}

impl Names {
    /// For an agent in these namespaces.
    #[must_use]
    pub(super) fn new(own_mnt: u32, own_user: u32) -> Self {
        Self {
            users: Users::new("/".into(), own_mnt),
            own_mnt,
            own_user,
            texts: Interned::new(TEXTS_MAX),
            of_host: Interned::new(TEXTS_MAX),
            of_host_since: Instant::now(),
        }
    }

    /// The users and groups of credentials. `process` is opened only for a process in another mount or user namespace.
    pub(super) fn of(
        &mut self,
        now: Instant,
        credentials: &Credentials,
        namespaces: &NamespaceIds,
        process: &mut dyn FnMut() -> Result<ProcessDir, ReadError>,
    ) -> Named {
        // The names of the host's own namespaces come from files that are looked at again after a second, and so is this.
        let of_host = namespaces.mnt == self.own_mnt && namespaces.user == self.own_user;
        if of_host && now.saturating_duration_since(self.of_host_since) >= RECHECK {
            (self.of_host, self.of_host_since) = (Interned::new(TEXTS_MAX), now);
        }
        if let Some(named) = self.of_host.get(credentials).filter(|_| of_host) {
            return named;
        }
        let named = Look { names: self, now, namespaces, process }.all(credentials);
        if of_host {
            self.of_host.keep(*credentials, named.clone());
        }
        named
    }

    fn text(&mut self, id: u32) -> Arc<str> {
        self.texts.get_or(id, |id| id.to_string().into())
    }
}

/// One process's look-ups.
struct Look<'a> {
    names: &'a mut Names,
    now: Instant,
    namespaces: &'a NamespaceIds,
    process: &'a mut dyn FnMut() -> Result<ProcessDir, ReadError>,
}

impl Look<'_> {
    fn all(&mut self, credentials: &Credentials) -> Named {
        let look = self;
        let Credentials { euid, egid, fsuid, fsgid, .. } = *credentials;
        Named {
            user: look.user(euid),
            real_user: look.user(credentials.uid),
            saved_user: look.user(credentials.suid),
            group: look.group(egid),
            real_group: look.group(credentials.gid),
            saved_group: look.group(credentials.sgid),
            fs_user: (fsuid != euid).then(|| look.user(fsuid)),
            fs_group: (fsgid != egid).then(|| look.group(fsgid)),
        }
    }

    fn user(&mut self, id: u32) -> Shared<User> {
        let (mnt, now) = (self.namespaces.mnt, self.now);
        let name = self.inside(id, ProcFile::UidMap).and_then(|inside| {
            let process = &mut self.process;
            self.names.users.user(now, mnt, inside, |path: &Path| process()?.open_below_root(path))
        });
        User { id: Some(self.names.text(id)), name }.into()
    }

    fn group(&mut self, id: u32) -> Shared<Group> {
        let (mnt, now) = (self.namespaces.mnt, self.now);
        let name = self.inside(id, ProcFile::GidMap).and_then(|inside| {
            let process = &mut self.process;
            self.names.users.group(now, mnt, inside, |path: &Path| process()?.open_below_root(path))
        });
        Group { id: Some(self.names.text(id)), name }.into()
    }

    /// The number as the process's own user namespace has it, which its passwd file goes by.
    /// Where a namespace is not known, which has the number 0, there is no telling: the host's name may be another's.
    fn inside(&mut self, id: u32, map: ProcFile) -> Option<u32> {
        let NamespaceIds { mnt, user, .. } = *self.namespaces;
        if mnt == 0 && self.names.own_mnt != 0 {
            return None;
        }
        if user == self.names.own_user {
            return Some(id);
        }
        let mut bytes = Vec::new();
        (self.process)().ok()?.read_into(map, &mut bytes, MAP_MAX).ok()?;
        id_map::inside(&bytes, id)
    }
}
