//! Builds for another architecture: Debian's compiler, which also compiles the kernel object, with
//! Debian's standard library of the same version for that architecture, and Debian's C cross compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use super::mirror::Mirror;
use crate::kernel_object;
use crate::packages;
use crate::setup::{self, KernelTools, Needs};
use crate::step;
use crate::toolchain::Toolchain;
use crate::workspace;

/// A build folder of its own: two compilers in one folder would compile everything again at each change.
const TARGET: &str = "cross";

/// The packages of the compiler and of the standard library, which must have the same version.
const COMPILER: &str = "rustc-web";
const LIBRARY: &str = "libstd-rust-web-dev";

/// The tools of a cross build.
pub(super) struct Cross {
    arch: Arch,
    tools: KernelTools,
    /// The folder in which rustc finds the standard library.
    sysroot: PathBuf,
}

impl Cross {
    pub(super) fn ready(arch: Arch, mirror: &Mirror, cache: &Path) -> Result<Self> {
        let tools = setup::machine(Needs::Build)?;
        let Toolchain::System(_) = &tools.toolchain else {
            bail!(
                "what runs on {arch} is built by Debian's rustc with Debian's standard library for it; here is {}",
                tools.toolchain
            );
        };
        packages::install(packages::cross(&arch.gnu(), arch.debian()))?;
        let root = cache.join("std");
        let library = format!("{LIBRARY}={}", packages::version(COMPILER)?);
        step::say(format_args!("cross build: {} with {library} for {}", tools.toolchain, arch.debian()));
        mirror.unpack(&[library], &root)?;
        Ok(Self { arch, tools, sysroot: root.join("usr") })
    }

    /// Builds the agent with its kernel object and returns its path.
    pub(super) fn agent(&self) -> Result<PathBuf> {
        kernel_object::build(&self.tools, self.arch.name())?;
        step::say(format_args!("agent: building for {}", self.arch));
        let mut cargo = self.cargo();
        cargo.args(["build", "--package", "collector", "--release", "--target", &self.arch.target()]);
        step::show(&mut cargo).with_context(|| format!("cannot build the agent for {}", self.arch))?;
        Ok(workspace::target(TARGET).join(self.arch.target()).join("release/collector"))
    }

    /// cargo with the variables of the cross build; the caller adds `--target`.
    pub(super) fn cargo(&self) -> Command {
        let mut cargo = self.tools.toolchain.cargo();
        let of_target = format!("CARGO_TARGET_{}", self.arch.target().to_uppercase().replace('-', "_"));
        cargo
            .current_dir(workspace::root())
            .env("CARGO_TARGET_DIR", workspace::target(TARGET))
            .env(format!("{of_target}_LINKER"), format!("{}-gcc", self.arch.gnu()))
            .env(format!("{of_target}_RUSTFLAGS"), format!("--sysroot={}", self.sysroot.display()));
        cargo
    }
}
