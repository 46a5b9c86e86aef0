//! Tries each hook by itself, for `collector doctor`.

use super::{
    backup::Backups,
    cgroup_mount::find_cgroup2,
    error::LoadError,
    hooks::{HOOKS, Hook},
    object::Object,
    options::LoadOptions,
};

/// The result of trying one hook.
#[derive(Debug)]
pub struct Probed {
    /// The hook.
    pub hook: Hook,
    /// Whether it could be attached and detached.
    pub outcome: Result<(), LoadError>,
}

/// Loads, attaches and detaches each hook, also after others failed.
pub fn probe(options: &LoadOptions) -> Result<Vec<Probed>, LoadError> {
    let Object { mut ebpf, btf, .. } = Object::create(options, Backups::here())?;
    let cgroup = find_cgroup2().map(|mount| mount.open()).transpose();
    let probed = HOOKS.iter().map(|&hook| Probed { hook, outcome: hook.probe(&mut ebpf, &btf, &cgroup) });
    Ok(probed.collect())
}
