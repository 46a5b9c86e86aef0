//! The kernel's own types, as the kernel publishes them.

use std::{fs, io};

/// Where the kernel publishes its types (BTF).
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Reads [`VMLINUX`]. Takes no privilege.
pub(super) fn read_vmlinux() -> io::Result<Vec<u8>> {
    fs::read(VMLINUX)
}
