//! bpf-linker, which turns LLVM bitcode into one BPF object. It must be built against the compiler's LLVM.

use std::env;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::step;
use crate::tool::Tool;
use crate::toolchain::Toolchain;
use crate::workspace;

const VERSION: &str = "0.13.0";

/// The versions of LLVM for which bpf-linker `VERSION` has a feature `llvm-N`.
const LLVM: RangeInclusive<u32> = 21..=23;

/// Builds bpf-linker for this toolchain if it is missing. Returns the folder to put on `PATH`.
pub(crate) fn ready(toolchain: &Toolchain) -> Result<PathBuf> {
    let llvm = toolchain.rustc().llvm;
    let prefix = llvm_prefix(llvm)?;
    if prefix.is_none()
        && let Some(own) = workspace::on_path("bpf-linker").filter(|own| starts(own))
        && let Some(bin) = own.parent()
    {
        step::say(format_args!("bpf-linker: the one on PATH, {}", own.display()));
        return Ok(bin.to_owned());
    }
    let feature = format!("llvm-{llvm}");
    let variables: Vec<_> = prefix.into_iter().map(|prefix| ("LLVM_PREFIX", prefix)).collect();
    let mut tool = Tool {
        name: "bpf-linker",
        version: VERSION,
        folder: "bpf-tools",
        args: &["--no-default-features", "--features", &feature],
        variables: &variables,
        force: false,
    };
    let bin = tool.install()?;
    if !starts(&bin.join("bpf-linker")) {
        tool.force = true;
        tool.install()?;
    }
    Ok(bin)
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

/// `bin`, then the `PATH` of this process.
pub(crate) fn path_with(bin: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = [bin.to_owned()].into_iter().chain(env::split_paths(&path));
    env::join_paths(dirs).with_context(|| format!("cannot put {} on PATH", bin.display()))
}
