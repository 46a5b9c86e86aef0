//! Brings the programs into the kernel: finds the offsets, loads and attaches; and detaches them again.

mod backup;
pub mod btf;
mod cgroup_mount;
mod counters;
mod error;
mod filters;
mod hooks;
mod loaded;
mod misses;
mod object;
mod offsets;
mod options;
mod part;
mod privilege;
mod probe;
mod vmlinux;
mod wire;

#[cfg(all(test, feature = "cli"))]
pub(crate) use self::privilege::missing_from;
#[cfg(feature = "cli")]
pub(crate) use self::privilege::{advice_to, effective_capabilities};
pub use self::{
    cgroup_mount::{CgroupMount, find_cgroup2},
    error::{LoadCause, LoadError},
    hooks::{HOOKS, Hook},
    loaded::Loaded,
    object::object_len,
    offsets::lacking_fields,
    options::LoadOptions,
    part::{Degraded, Part},
    privilege::{Capability, missing_capabilities},
    probe::{Probed, probe},
    vmlinux::VMLINUX,
};
pub(crate) use self::{counters::KernelCounters, loaded::Programs};
