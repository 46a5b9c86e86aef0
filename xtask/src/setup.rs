//! Prepares this machine for building and testing. It installs only what is missing.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::linker;
use crate::packages;
use crate::rustup;
use crate::step;
use crate::toolchain::Toolchain;
use crate::workspace;

/// What the machine is prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Build,
    Tests,
}

/// The tools that compile the kernel object.
pub(crate) struct KernelTools {
    pub(crate) toolchain: Toolchain,
    /// The folder of bpf-linker.
    pub(crate) linker_bin: PathBuf,
}

/// Installs what `needs` names, if it is missing.
pub(crate) fn machine(needs: Needs) -> Result<KernelTools> {
    let toolchain = toolchain()?;
    step::say(format_args!("kernel toolchain: {toolchain}"));
    let linker_bin = linker::ready(&toolchain)?;
    match needs {
        Needs::Build => {}
        Needs::Tests => packages::install(packages::tests())?,
    }
    Ok(KernelTools { toolchain, linker_bin })
}

fn toolchain() -> Result<Toolchain> {
    if let Some(toolchain) = Toolchain::find() {
        return Ok(toolchain);
    }
    step::say("kernel toolchain: no compiler with `core` for the BPF target is installed");
    let apt = match from_apt() {
        Ok(toolchain) => return Ok(toolchain),
        Err(apt) => apt,
    };
    match from_rustup() {
        Ok(toolchain) => Ok(toolchain),
        Err(rustup) => bail!(
            "no compiler for the kernel object, which needs `core` for bpfel-unknown-none\n\
             by apt: {apt:#}\nby rustup: {rustup:#}"
        ),
    }
}

fn from_apt() -> Result<Toolchain> {
    let packages = packages::compiler();
    if let Some(package) = packages.iter().find(|package| !packages::is_offered(&package.name)) {
        bail!("apt has no package {}; Debian 12 has it in its security suite", package.name);
    }
    packages::install(packages)?;
    match Toolchain::find() {
        Some(toolchain) => Ok(toolchain),
        None => bail!("/usr/bin/rustc is older than the {} that we need", env!("CARGO_PKG_RUST_VERSION")),
    }
}

fn from_rustup() -> Result<Toolchain> {
    if workspace::on_path("rustup").is_none() {
        bail!("there is no rustup on PATH");
    }
    step::say("kernel toolchain: asking rustup for a nightly with rust-src");
    rustup::install_core_sources()?;
    match Toolchain::find_nightly() {
        Some(toolchain) => Ok(toolchain),
        None => {
            bail!("rustup succeeded, but no installed nightly is new enough and has the sources of `core`")
        }
    }
}
