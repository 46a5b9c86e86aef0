//! bpf-linker, which turns LLVM bitcode into one BPF object. It must be built against the compiler's LLVM.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::step;
use crate::toolchain::Toolchain;
use crate::workspace;

const VERSION: &str = "0.13.0";

/// The versions of LLVM for which bpf-linker `VERSION` has a feature `llvm-N`.
const LLVM: RangeInclusive<u32> = 21..=23;

/// Builds bpf-linker for this toolchain if it is missing. Returns the folder to put on `PATH`.
pub(crate) fn ready(toolchain: &Toolchain) -> Result<PathBuf> {
    let llvm = toolchain.rustc().llvm;
    let tools = workspace::target("bpf-tools");
    let bin = tools.join("bin");
    if is_built(&tools, llvm) && starts(&bin.join("bpf-linker")) {
        return Ok(bin);
    }
    let prefix = llvm_prefix(llvm)?;
    if prefix.is_none()
        && let Some(own) = workspace::on_path("bpf-linker").filter(|own| starts(own))
        && let Some(bin) = own.parent()
    {
        step::say(format_args!("bpf-linker: the one on PATH, {}", own.display()));
        return Ok(bin.to_owned());
    }
    build(&tools, llvm, prefix.as_deref())?;
    Ok(bin)
}

/// Whether cargo has recorded an installation of this version with this feature there.
fn is_built(tools: &Path, llvm: u32) -> bool {
    fs::read_to_string(tools.join(".crates2.json")).is_ok_and(|noted| notes(&noted, llvm))
}

/// Reads cargo's `.crates2.json` of a folder into which nothing else is installed.
fn notes(noted: &str, llvm: u32) -> bool {
    noted.contains(&format!("\"bpf-linker {VERSION} ")) && noted.contains(&format!("\"llvm-{llvm}\""))
}

/// Whether the linker runs. It does not when the shared LLVM that it was built against is gone.
fn starts(linker: &Path) -> bool {
    step::succeeds(Command::new(linker).arg("--version"))
}

/// The distribution's folder of this LLVM; `None` where it has none, and `llvm-config` must be on `PATH`.
fn llvm_prefix(llvm: u32) -> Result<Option<PathBuf>> {
    if !LLVM.contains(&llvm) {
        let (first, last) = (LLVM.start(), LLVM.end());
        bail!("the compiler has LLVM {llvm}, but bpf-linker {VERSION} supports LLVM {first} to {last}");
    }
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    let package = packages::llvm(llvm);
    if prefix.join("lib/libLLVM.so").exists() {
        return Ok(Some(prefix));
    }
    if !packages::is_offered(&package.name) {
        return Ok(None);
    }
    packages::install(vec![package])?;
    Ok(Some(prefix))
}

fn build(tools: &Path, llvm: u32, prefix: Option<&Path>) -> Result<()> {
    let of_llvm = prefix.map_or_else(|| format!("LLVM {llvm}"), |prefix| prefix.display().to_string());
    step::say(format_args!("bpf-linker: building {VERSION} against {of_llvm} (about a minute, once)"));
    let build_dir = tools.join("build");
    let mut cargo = workspace::cargo();
    cargo
        .args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force", "--no-default-features"])
        .args(["--features", &format!("llvm-{llvm}")])
        .arg("--root")
        .arg(tools)
        .env("CARGO_TARGET_DIR", &build_dir);
    if let Some(prefix) = prefix {
        cargo.env("LLVM_PREFIX", prefix);
    }
    step::ask(&mut cargo).with_context(|| format!("cannot build bpf-linker {VERSION} against {of_llvm}"))?;
    // Some hundred megabytes that nothing reads again.
    fs::remove_dir_all(&build_dir).with_context(|| format!("cannot remove {}", build_dir.display()))?;
    step::say("bpf-linker: built");
    Ok(())
}

/// `bin`, then the `PATH` of this process.
pub(crate) fn path_with(bin: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = [bin.to_owned()].into_iter().chain(env::split_paths(&path));
    env::join_paths(dirs).with_context(|| format!("cannot put {} on PATH", bin.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTED: &str = r#"{"installs":{"bpf-linker 0.13.0 (registry+https://github.com/rust-lang/crates.io-index)":
        {"version_req":"=0.13.0","bins":["bpf-linker"],"features":["llvm-22"],"no_default_features":true}}}"#;

    #[test]
    fn a_linker_is_built_for_one_llvm() {
        assert!(notes(NOTED, 22));
        assert!(!notes(NOTED, 21));
    }

    #[test]
    fn a_linker_of_another_version_is_built_again() {
        assert!(!notes(&NOTED.replace("0.13.0", "0.12.0"), 22));
    }
}
