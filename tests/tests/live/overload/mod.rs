//! More processes than the machine can bear, and what goes wrong around the agent meanwhile.
//!
//! Each of these tests has the machine alone.

mod connections;
mod faults;
mod flood;
mod lives;
mod losses;
mod maker;
mod processes;
mod shell;
pub(crate) mod stopped;
mod storm;
mod stream;

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
};

use tempfile::TempDir;

/// A directory that every user may enter.
fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("collector-storm-").tempdir().unwrap();
    set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    directory
}
