//! The kernel's version and types, and its switches that matter to BPF.

use std::{fs, io};

use procfs::KernelVersion;
use rustix::system::uname;

use super::check::Check;
use crate::load::{Degraded, LoadError, VMLINUX};

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

/// The release, by uname(2): it needs no /proc.
pub(super) fn release() -> String {
    uname().release().to_string_lossy().into_owned()
}

/// The version at the start of a release; `None` if that does not begin with three numbers.
pub(super) fn version(release: &str) -> Option<KernelVersion> {
    KernelVersion::from_str(release).ok()
}

/// `attached` says that the hooks for processes worked: distributions backport BPF to kernels that are older by name.
pub(super) fn release_check(release: &str, attached: bool) -> Check {
    let name = "kernel";
    let is_old = version(release).is_some_and(|version| version < KernelVersion::new(5, 8, 0));
    if is_old && !attached {
        let affects = "everything: the ring buffer and programs on typed tracepoints came with Linux 5.8";
        return Check::fail(name, release, affects, "boot Linux 5.8 or newer");
    }
    Check::ok(name, release)
}

/// The kernel's types and the fields in them.
pub(super) fn btf_check(lacking: &Result<Vec<Degraded>, LoadError>) -> Check {
    let name = "btf";
    match lacking {
        Ok(lacking) if lacking.is_empty() => {
            Check::ok(name, format!("{VMLINUX} has every field that the programs read"))
        }
        Ok(lacking) => {
            let found = joined(lacking.iter().map(|lack| lack.reason.as_str()));
            let affects = joined(lacking.iter().map(|lack| lack.feature.as_str()));
            let affects = format!("events come without: {affects}");
            Check::warn(name, found, affects, "nothing, unless this is needed; then boot another kernel")
        }
        Err(error) => {
            let affects = "everything: the programs cannot find the kernel's fields";
            Check::fail(name, error.brief(), affects, btf_advice(error))
        }
    }
}

fn btf_advice(error: &LoadError) -> &'static str {
    if matches!(error, LoadError::NoBtf(_)) {
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Ubuntu 20.10, Fedora 31, RHEL 9 and newer \
         are); in a container, let it see the machine's /sys"
    } else {
        "boot another kernel, and report this line and uname -r"
    }
}

/// Each text once, in order.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut once: Vec<&str> = Vec::new();
    for text in texts {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once.join(", ")
}

/// Lockdown: the kernel's protection against root.
pub(super) fn lockdown() -> Check {
    lockdown_check(fs::read_to_string(LOCKDOWN))
}

/// The file lists all modes, with the active one in brackets.
fn lockdown_check(modes: io::Result<String>) -> Check {
    let name = "lockdown";
    let modes = match modes {
        Ok(modes) => modes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::ok(name, "not built in, or securityfs is not mounted");
        }
        Err(error) => return Check::ok(name, format!("cannot read {LOCKDOWN}: {error}")),
    };
    let mode = modes.split(['[', ']']).nth(1).unwrap_or_else(|| modes.trim_end());
    if mode == "confidentiality" {
        let affects = "everything: programs may not read the kernel's memory (bpf_probe_read_kernel)";
        let advice =
            "boot with lockdown=integrity on the kernel's command line, or without lockdown=confidentiality";
        return Check::fail(name, mode, affects, advice);
    }
    Check::ok(name, mode)
}

/// The kernel's statistics of run times.
pub(super) fn statistics() -> Check {
    statistics_check(&fs::read_to_string(STATS))
}

fn statistics_check(value: &io::Result<String>) -> Check {
    let name = "bpf-stats";
    match value.as_deref().map(str::trim_end) {
        Ok("0") => Check::ok(name, "off"),
        Ok(_) => Check::ok(name, format!("on: each run of a program costs two more clock reads; {STATS}")),
        Err(error) => Check::ok(name, format!("cannot read {STATS}: {error}")),
    }
}

/// The compiler from BPF to machine code.
pub(super) fn jit() -> Check {
    jit_check(&fs::read_to_string(JIT))
}

fn jit_check(value: &io::Result<String>) -> Check {
    let name = "jit";
    match value.as_deref().map(str::trim_end) {
        Ok("0") => Check::warn(
            name,
            "off",
            "speed: the kernel interprets the programs, which slows down every exec, exit and connect",
            format!("echo 1 > {JIT}"),
        ),
        Ok(_) => Check::ok(name, "on"),
        // Only the initial network namespace has the file, and on some kernels only root can read it.
        Err(error) => Check::ok(name, format!("not known: cannot read {JIT}: {error}")),
    }
}

#[cfg(test)]
mod tests;
