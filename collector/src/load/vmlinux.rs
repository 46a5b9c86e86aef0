//! The kernel's own types, as the kernel publishes them.

use std::{fs::File, io::Read as _};

use super::error::LoadError;

/// Where the kernel publishes its types (BTF).
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Reads [`VMLINUX`]. Takes no privilege.
pub(super) fn read_vmlinux() -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    File::open(VMLINUX).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(LoadError::NoBtf)?;
    Ok(bytes)
}
