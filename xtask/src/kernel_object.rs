//! The kernel object, `target/bpf/ARCH/collector-ebpf.o`, which the agent's build embeds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::linker;
use crate::setup::KernelTools;
use crate::step;
use crate::workspace;

const TARGET: &str = "bpfel-unknown-none";

/// Compiles the kernel object for an architecture, named as Rust names it, and copies it to where the
/// agent's build script looks for it.
pub(crate) fn build(tools: &KernelTools, arch: &str) -> Result<()> {
    let build_dir = workspace::target("bpf-build").join(arch);
    let mut cargo = command(tools, arch, &build_dir)?;
    step::say("kernel object: building");
    step::show(&mut cargo).context("cannot build the kernel object")?;
    let built = build_dir.join(TARGET).join("release/collector-ebpf");
    let placed = placed(arch);
    if copy_if_changed(&built, &placed)? {
        step::say(format_args!("kernel object: {} is new", placed.display()));
    }
    Ok(())
}

/// The path that the agent's build script reads.
fn placed(arch: &str) -> PathBuf {
    workspace::target("bpf").join(arch).join("collector-ebpf.o")
}

/// It has its own build folder: two compilers in one folder would compile everything again at each change.
fn command(tools: &KernelTools, arch: &str, build_dir: &Path) -> Result<Command> {
    let mut cargo = tools.toolchain.cargo();
    cargo
        .current_dir(workspace::root())
        .arg("build")
        .args(tools.toolchain.core_args())
        .args(["--release", "--package", "collector-ebpf", "--target", TARGET, "--target-dir"])
        .arg(build_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(arch))
        .env("PATH", linker::path_with(&tools.linker_bin)?);
    Ok(cargo)
}

/// bpf-linker makes BTF from debug information; the architecture decides which registers have a hook's
/// arguments. The target names the linker.
fn flags(arch: &str) -> String {
    let arch_cfg = format!("--cfg=bpf_target_arch=\"{arch}\"");
    ["-Cdebuginfo=2", "-Clink-arg=--btf", &arch_cfg].join("\x1f")
}

/// An unchanged file keeps its time, so that cargo does not build the agent again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<bool> {
    let built = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|placed| placed == built) {
        return Ok(false);
    }
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    fs::write(to, built).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_separated_by_the_unit_separator() {
        let flags = flags("aarch64");
        let separated: Vec<&str> = flags.split('\x1f').collect();
        assert_eq!(separated, ["-Cdebuginfo=2", "-Clink-arg=--btf", "--cfg=bpf_target_arch=\"aarch64\""]);
    }

    #[test]
    fn an_unchanged_object_is_not_written_again() {
        let dir = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        let (from, to) = (dir.join("from"), dir.join("below/to"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(&from, "object").unwrap();
        assert!(copy_if_changed(&from, &to).unwrap());
        assert!(!copy_if_changed(&from, &to).unwrap());
        fs::write(&from, "other").unwrap();
        assert!(copy_if_changed(&from, &to).unwrap());
        fs::remove_dir_all(&dir).unwrap();
    }
}
