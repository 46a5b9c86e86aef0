//! The compiler of the kernel object: finds it and calls it.
//!
//! The kernel object needs `core` for `bpfel-unknown-none`, which no stable toolchain of rustup has.
//! Debian's `libstd-rust-web-dev-bpf` has it compiled; a nightly with `rust-src` can compile it.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::rustup::{self, Nightly};
use crate::step;

// The files that make the distribution's compiler usable.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";
const SYSTEM_CARGO: &str = "/usr/bin/cargo";
const SYSTEM_CORE: &str = "/usr/lib/rustlib/bpfel-unknown-none/lib";

/// The crates of the kernel object that use unstable features (`asm_experimental_arch`). Only these are
/// named, so build scripts that look for a nightly still see a stable compiler.
pub(crate) const UNSTABLE_CRATES: &str = "aya_ebpf,collector_ebpf";

/// A compiler that has or can compile `core` for the kernel's virtual machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The distribution's, in /usr/bin, with a compiled `core`.
    System(Rustc),
    /// A nightly of rustup that has the sources of `core`.
    Nightly { name: String, rustc: Rustc },
}

/// The output of `rustc -vV`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rustc {
    /// `1.96.0`, `1.97.0-nightly`.
    release: String,
    /// The major version of its LLVM. bpf-linker reads its bitcode and needs the same version.
    pub(crate) llvm: u32,
}

impl Toolchain {
    /// Finds an installed compiler: the distribution's, otherwise a nightly.
    pub(crate) fn find() -> Option<Self> {
        choose(system(), rustup::nightlies)
    }

    /// Finds a nightly, after rustup has installed its sources.
    pub(crate) fn find_nightly() -> Option<Self> {
        choose(None, rustup::nightlies)
    }

    pub(crate) fn rustc(&self) -> &Rustc {
        match self {
            Self::System(rustc) | Self::Nightly { rustc, .. } => rustc,
        }
    }

    /// `cargo` of this toolchain, without the variables of the toolchain that runs xtask, in an
    /// environment in which the kernel object compiles.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = match self {
            Self::System(_) => {
                let mut cargo = Command::new(SYSTEM_CARGO);
                cargo.env("RUSTC", SYSTEM_RUSTC).env("RUSTC_BOOTSTRAP", UNSTABLE_CRATES);
                cargo
            }
            Self::Nightly { name, .. } => {
                let mut cargo = Command::new("rustup");
                cargo.args(["run", name, "cargo"]).env_remove("RUSTC").env_remove("RUSTC_BOOTSTRAP");
                cargo
            }
        };
        // rustup and `cargo run` set these for xtask: they belong to another toolchain.
        for name in ["CARGO", "LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(name);
        }
        cargo
    }

    /// The arguments that compile `core` too, where it is not installed compiled.
    pub(crate) fn core_args(&self) -> &'static [&'static str] {
        match self {
            Self::System(_) => &[],
            Self::Nightly { .. } => &["-Z", "build-std=core"],
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rustc { release, llvm } = self.rustc();
        match self {
            Self::System(_) => write!(f, "the distribution's rustc {release}, LLVM {llvm}"),
            Self::Nightly { name, .. } => write!(f, "rustup's {name} {release}, LLVM {llvm}"),
        }
    }
}

impl Rustc {
    pub(crate) fn ask(command: &mut Command) -> Option<Self> {
        let said = step::ask(command.arg("-vV").env_remove("LD_LIBRARY_PATH")).ok()?;
        Self::parse(&said)
    }

    /// Reads the output of `rustc -vV`; `None` where the release or LLVM is missing.
    fn parse(said: &str) -> Option<Self> {
        let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
        let (llvm, _minor) = value("LLVM version: ")?.split_once('.')?;
        Some(Self { release: value("release: ")?.to_owned(), llvm: llvm.parse().ok()? })
    }

    /// Whether it meets the `rust-version` of this workspace.
    pub(crate) fn compiles_this_workspace(&self) -> bool {
        self.major_minor() >= major_minor(env!("CARGO_PKG_RUST_VERSION"))
    }

    /// The version, for comparing compilers.
    pub(crate) fn major_minor(&self) -> Option<(u32, u32)> {
        major_minor(&self.release)
    }
}

/// `1.96.0-nightly` as (1, 96); otherwise `None`, which is less than all others.
fn major_minor(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Prefers the distribution's compiler, which needs no unstable flag and no sources. rustup runs only
/// without it, since each call takes time.
fn choose(system: Option<Rustc>, nightlies: impl FnOnce() -> Vec<Nightly>) -> Option<Toolchain> {
    if let Some(rustc) = system.filter(Rustc::compiles_this_workspace) {
        return Some(Toolchain::System(rustc));
    }
    nightlies()
        .into_iter()
        .filter(|nightly| nightly.has_core_sources && nightly.rustc.compiles_this_workspace())
        .max_by_key(|nightly| nightly.rustc.major_minor())
        .map(|Nightly { name, rustc, .. }| Toolchain::Nightly { name, rustc })
}

fn system() -> Option<Rustc> {
    let complete = [SYSTEM_RUSTC, SYSTEM_CARGO, SYSTEM_CORE].iter().all(|file| Path::new(file).exists());
    if complete { Rustc::ask(&mut Command::new(SYSTEM_RUSTC)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/usr/bin/rustc -vV`, Debian 12, November 2026.
    const DEBIAN: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
        host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    fn rustc(release: &str) -> Rustc {
        Rustc { release: release.to_owned(), llvm: 22 }
    }

    fn nightly(name: &str, release: &str, has_core_sources: bool) -> Nightly {
        Nightly { name: name.to_owned(), rustc: rustc(release), has_core_sources }
    }

    #[track_caller]
    fn check(system: Option<&str>, nightlies: Vec<Nightly>, chosen: Option<&str>) {
        let name = |toolchain| match toolchain {
            Toolchain::System(_) => "system".to_owned(),
            Toolchain::Nightly { name, .. } => name,
        };
        assert_eq!(choose(system.map(rustc), || nightlies).map(name).as_deref(), chosen);
    }

    #[test]
    fn release_and_llvm_are_read() {
        assert_eq!(Rustc::parse(DEBIAN), Some(Rustc { release: "1.96.0".to_owned(), llvm: 22 }));
    }

    #[test]
    fn a_compiler_without_llvm_is_rejected() {
        assert_eq!(Rustc::parse("release: 1.96.0\nLLVM version: unknown\n"), None);
        assert_eq!(Rustc::parse(""), None);
    }

    #[test]
    fn the_distribution_is_preferred_to_a_nightly() {
        check(Some("1.96.0"), vec![nightly("nightly", "1.99.0-nightly", true)], Some("system"));
    }

    #[test]
    fn a_nightly_replaces_an_old_distribution_compiler() {
        check(Some("1.63.0"), vec![nightly("nightly", "1.97.0-nightly", true)], Some("nightly"));
    }

    #[test]
    fn a_nightly_without_sources_is_rejected() {
        check(None, vec![nightly("nightly", "1.97.0-nightly", false)], None);
    }

    #[test]
    fn the_newer_of_two_nightlies_is_chosen() {
        let old = nightly("nightly-2026-05-19", "1.97.0-nightly", true);
        check(None, vec![nightly("nightly", "1.99.0-nightly", true), old], Some("nightly"));
    }
}
