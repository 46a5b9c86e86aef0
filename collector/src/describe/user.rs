//! Names of users and groups, from the `/etc/passwd` and `/etc/group` that the process itself sees.
//!
//! Only these files are read: a lookup through NSS may go to the network, and loads foreign code into the agent. So a user of
//! LDAP or a dynamic user of systemd has an id and no name.
//!
//! There is one file for each mount namespace. A chroot within the host's mount namespace counts as the host, and one within
//! a container as that container, because the records have the namespace and not the root.
//!
//! A file in a container is untrusted input. It is opened below the process's root and must be regular. Its bytes, the memory
//! of its names and the number of files are bounded.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::procfs::passwd;

/// A larger file counts as empty: the largest known ones, with 50,000 users, have 3 MiB.
const FILE_LEN: u64 = 4 << 20;

/// Files that are cached, of all mount namespaces.
const CAPACITY: usize = 256;

/// Most bytes of all tables together.
const TOTAL_COST: usize = 32 << 20;

/// Most bytes of one table; a file beyond counts as empty. More than `FILE_LEN` of ordinary lines.
const TABLE_COST: usize = 8 << 20;

/// Bytes of an entry beside its name: the slot in the table and the counters of the `Arc`.
const ENTRY_COST: usize = 64;

/// A file is checked again after this time. The kernel reuses the number of a mount namespace, so the file of a container
/// needs that as much as the host's.
pub(super) const RECHECK: Duration = Duration::from_secs(1);

/// Names that could not be checked for this time (no process lived long enough) are dropped.
const TRUSTED: Duration = Duration::from_secs(10);

/// Names of users and groups by mount namespace and id.
#[derive(Debug)]
pub struct Users {
    host_root: PathBuf,
    host_mnt_ns: Option<u32>,
    tables: HashMap<Key, Table>,
    uses: u64,
}

impl Users {
    /// `host_root` is the path of the host's root from here (`/`); `host_mnt_ns` the inode number of its namespace, if known.
    #[must_use]
    pub fn new(host_root: PathBuf, host_mnt_ns: Option<u32>) -> Self {
        Self { host_root, host_mnt_ns, tables: HashMap::new(), uses: 0 }
    }

    /// The name of a user. `uid` is its number in the process's user namespace: see `procfs::id_map`.
    ///
    /// `open` opens a file below the root of the process, given as a relative path. It is not called for the host, nor more
    /// than once a second for a namespace. `Ok(None)`: there is no such file, which is cached for that time. `Err`: the
    /// process could not be read, which is not cached.
    ///
    /// `None` if the file has no such id, cannot be read, or is too large.
    pub fn user<E>(
        &mut self,
        now: Instant,
        mnt_ns: Option<u32>,
        uid: u32,
        open: impl FnOnce(&Path) -> Result<Option<File>, E>,
    ) -> Option<Arc<str>> {
        self.name(now, Key { mnt_ns, database: Database::Passwd }, uid, open)
    }

    /// The name of a group: see [`Users::user`].
    pub fn group<E>(
        &mut self,
        now: Instant,
        mnt_ns: Option<u32>,
        gid: u32,
        open: impl FnOnce(&Path) -> Result<Option<File>, E>,
    ) -> Option<Arc<str>> {
        self.name(now, Key { mnt_ns, database: Database::Group }, gid, open)
    }

    fn name<E>(
        &mut self,
        now: Instant,
        key: Key,
        id: u32,
        open: impl FnOnce(&Path) -> Result<Option<File>, E>,
    ) -> Option<Arc<str>> {
        self.uses += 1;
        if self.tables.get(&key).is_none_or(|table| now.saturating_duration_since(table.checked) >= RECHECK) {
            self.check(now, key, open);
        }
        let table = self.tables.get_mut(&key)?;
        table.used = self.uses;
        table.names.get(&id).cloned()
    }

    /// Checks the file, and reads it if it is not the one that was read before.
    fn check<E>(&mut self, now: Instant, key: Key, open: impl FnOnce(&Path) -> Result<Option<File>, E>) {
        let path = key.database.path();
        let opened = if key.mnt_ns == self.host_mnt_ns {
            Ok(open_regular(&self.host_root.join(path)))
        } else {
            open(path).map_err(drop)
        };
        let Ok(file) = opened else {
            let age = |table: &Table| now.saturating_duration_since(table.checked);
            if self.tables.get(&key).is_some_and(|table| age(table) >= TRUSTED) {
                self.tables.remove(&key);
            }
            return;
        };
        let version = file.as_ref().and_then(Version::of);
        match self.tables.get_mut(&key) {
            Some(table) if table.version == version => table.checked = now,
            Some(_) | None => {
                let (names, cost) = file.as_ref().and_then(read_names).unwrap_or_default();
                self.insert(key, Table { version, checked: now, used: self.uses, names, cost });
            }
        }
    }

    /// Adds a table and evicts those not used for longest, until the rest is within the bounds.
    fn insert(&mut self, key: Key, table: Table) {
        self.tables.insert(key, table);
        while self.tables.len() > CAPACITY || self.cost() > TOTAL_COST {
            let Some(&oldest) = self.tables.iter().min_by_key(|(_, table)| table.used).map(|(key, _)| key)
            else {
                return;
            };
            self.tables.remove(&oldest);
        }
    }

    fn cost(&self) -> usize {
        self.tables.values().map(|table| table.cost).sum()
    }
}

/// A file of a mount namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    mnt_ns: Option<u32>,
    database: Database,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Database {
    Passwd,
    Group,
}

impl Database {
    fn path(self) -> &'static Path {
        Path::new(match self {
            Self::Passwd => "etc/passwd",
            Self::Group => "etc/group",
        })
    }
}

/// A file that was read. One that is missing or unfit has no names.
#[derive(Debug)]
struct Table {
    version: Option<Version>,
    /// When the file was last checked.
    checked: Instant,
    /// When the table was last used: `Users::uses` at that time.
    used: u64,
    names: HashMap<u32, Arc<str>>,
    cost: usize,
}

/// The version of a file: another file or a change shows here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Version {
    fn of(file: &File) -> Option<Self> {
        file.metadata().ok().map(|of: Metadata| Self {
            dev: of.dev(),
            ino: of.ino(),
            size: of.size(),
            mtime: (of.mtime(), of.mtime_nsec()),
            ctime: (of.ctime(), of.ctime_nsec()),
        })
    }
}

/// Opens a file of the host, which is trusted but need not be regular.
fn open_regular(path: &Path) -> Option<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags).open(path).ok()
}

/// The names in a file and their bytes. `None` if it is not regular, too large, or cannot be read.
fn read_names(file: &File) -> Option<(HashMap<u32, Arc<str>>, usize)> {
    let size = file.metadata().ok().filter(Metadata::is_file)?.len();
    // The size may be wrong (0 for a file of /proc), so the bound is on the read and the size is a hint.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(FILE_LEN)).ok()?);
    file.take(FILE_LEN + 1).read_to_end(&mut bytes).ok()?;
    if u64::try_from(bytes.len()).ok()? > FILE_LEN {
        return None;
    }
    let mut names = HashMap::new();
    let mut cost = 0;
    for (id, name) in passwd::names(&bytes) {
        cost += name.len() + ENTRY_COST;
        if cost > TABLE_COST {
            return None;
        }
        names.entry(id).or_insert_with(|| Arc::from(String::from_utf8_lossy(name)));
    }
    Some((names, cost))
}

#[cfg(test)]
mod tests;
