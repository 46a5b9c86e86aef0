//! Numbers of users and groups with their names.

use std::{collections::HashMap, path::Path, sync::Arc, time::Instant};

use collector_common::{Credentials, Namespaces};

use super::user::Users;
use crate::{
    event::{Group, User},
    procfs::{ProcFile, ProcessDir, ReadError, id_map},
};

/// Numbers whose text is kept; all are forgotten when there are more.
const TEXTS_MAX: usize = 4096;
/// Most bytes of a `uid_map` that are read: the kernel writes at most 340 lines.
const MAP_MAX: usize = 16 << 10;

/// The users and groups of a process.
#[derive(Debug)]
pub(super) struct Named {
    /// Effective.
    pub user: User,
    /// Real.
    pub real_user: User,
    /// Saved.
    pub saved_user: User,
    /// Effective.
    pub group: Group,
    /// Real.
    pub real_group: Group,
    /// Saved.
    pub saved_group: Group,
    /// For access to files, where it is not the effective one.
    pub fs_user: Option<User>,
    /// For access to files, where it is not the effective one.
    pub fs_group: Option<Group>,
}

/// Looks names up.
#[derive(Debug)]
pub(super) struct Names {
    users: Users,
    own_mnt: u32,
    own_user: u32,
    texts: HashMap<u32, Arc<str>>,
}

impl Names {
    /// For an agent in these namespaces.
    #[must_use]
    pub(super) fn new(own_mnt: u32, own_user: u32) -> Self {
        Self { users: Users::new("/".into(), own_mnt), own_mnt, own_user, texts: HashMap::new() }
    }

    /// The users and groups of credentials. `process` is opened only for a process in another mount or user namespace.
    pub(super) fn of(
        &mut self,
        now: Instant,
        credentials: &Credentials,
        namespaces: &Namespaces,
        process: &mut dyn FnMut() -> Result<ProcessDir, ReadError>,
    ) -> Named {
        let mut look = Look { names: self, now, namespaces, process };
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

    fn text(&mut self, id: u32) -> Arc<str> {
        if self.texts.len() >= TEXTS_MAX {
            self.texts.clear();
        }
        self.texts.entry(id).or_insert_with(|| id.to_string().into()).clone()
    }
}

/// One process's look-ups.
struct Look<'a> {
    names: &'a mut Names,
    now: Instant,
    namespaces: &'a Namespaces,
    process: &'a mut dyn FnMut() -> Result<ProcessDir, ReadError>,
}

impl Look<'_> {
    fn user(&mut self, id: u32) -> User {
        let (mnt, now) = (self.mnt(), self.now);
        let name = self.inside(id, ProcFile::UidMap).and_then(|inside| {
            let process = &mut self.process;
            self.names.users.user(now, mnt, inside, |path: &Path| process()?.open_below_root(path))
        });
        User { id: Some(self.names.text(id)), name }
    }

    fn group(&mut self, id: u32) -> Group {
        let (mnt, now) = (self.mnt(), self.now);
        let name = self.inside(id, ProcFile::GidMap).and_then(|inside| {
            let process = &mut self.process;
            self.names.users.group(now, mnt, inside, |path: &Path| process()?.open_below_root(path))
        });
        Group { id: Some(self.names.text(id)), name }
    }

    /// A process whose namespace is not known is taken for one of the host.
    fn mnt(&self) -> u32 {
        if self.namespaces.mnt == 0 { self.names.own_mnt } else { self.namespaces.mnt }
    }

    /// The number as the process's own user namespace has it, which its passwd file goes by.
    fn inside(&mut self, id: u32, map: ProcFile) -> Option<u32> {
        let user = self.namespaces.user;
        if user == 0 || user == self.names.own_user {
            return Some(id);
        }
        let mut bytes = Vec::new();
        (self.process)().ok()?.read_into(map, &mut bytes, MAP_MAX).ok()?;
        id_map::inside(&bytes, id)
    }
}
