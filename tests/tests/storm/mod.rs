//! Storms: their makers, and the stream against what the makers saw.

pub(crate) mod connections;
pub(crate) mod lives;
pub(crate) mod maker;
pub(crate) mod processes;
pub(crate) mod stream;

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;

/// One storm at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that every user may enter.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("collector-storm-").tempdir().unwrap();
    set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    directory
}
