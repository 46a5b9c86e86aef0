//! Packages of Debian and its descendants: finds those that are missing and installs them by apt.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::privilege::Privilege;
use crate::step;
use crate::workspace;

/// A package, and a proof without apt that it, or that of another distribution, is installed.
pub(crate) struct Package {
    pub(crate) name: String,
    proof: Proof,
    why: &'static str,
}

/// The file or program that proves that a package is installed.
enum Proof {
    Program(&'static str),
    File(PathBuf),
}

/// The compiler of the kernel object. Debian's web browsers need a new Rust, so security updates bring one
/// to old releases, under these names.
pub(crate) fn compiler() -> Vec<Package> {
    let core = "/usr/lib/rustlib/bpfel-unknown-none";
    vec![
        Package::file("rustc-web", "/usr/bin/rustc", "compiles the kernel object"),
        Package::file("cargo-web", "/usr/bin/cargo", "calls that compiler"),
        Package::file("libstd-rust-web-dev-bpf", core, "is `core` for the kernel's virtual machine"),
    ]
}

/// LLVM as a library, in the version of the compiler. Its dependencies and a C linker are enough to link
/// against it; a C++ compiler is not needed (tried without one on Debian 12).
pub(crate) fn llvm(major: u32) -> Package {
    let library = format!("/usr/lib/llvm-{major}/lib/libLLVM.so");
    Package::file(&format!("llvm-{major}-dev"), &library, "is the LLVM that bpf-linker is built against")
}

/// Programs that tests call.
pub(crate) fn tests() -> Vec<Package> {
    vec![
        Package::program("iproute2", "ip", "makes the network namespaces of the live tests"),
        Package::program("procps", "ps", "is what inspections are compared with"),
    ]
}

/// The tools that `cargo xtask bench storm` compares the agent with.
pub(crate) fn peers() -> Vec<Package> {
    let why = "is compared with the agent";
    vec![
        Package::program("libbpf-tools", "execsnoop", why),
        Package::program("forkstat", "forkstat", why),
        Package::program("bpftrace", "bpftrace", why),
        Package::program("auditd", "auditd", why),
    ]
}

/// The program that `cargo xtask bench instructions` counts with.
pub(crate) fn valgrind() -> Package {
    Package::program("valgrind", "valgrind", "counts the instructions of the hot paths")
}

/// What `cargo xtask vm` needs beside the emulator.
pub(crate) fn vm() -> Vec<Package> {
    vec![
        Package::program("busybox-static", "busybox", "has the small programs of guests"),
        Package::program("xz-utils", "xz", "unpacks the modules of their kernels"),
    ]
}

/// The C compiler and C library for another architecture, named as GCC and as Debian name it.
pub(crate) fn cross(gnu: &str, debian: &str) -> Vec<Package> {
    let compiler = format!("/usr/bin/{gnu}-gcc");
    let library = format!("/usr/{gnu}/lib/crti.o");
    vec![
        Package::file(&format!("gcc-{gnu}"), &compiler, "links programs for that architecture"),
        Package::file(
            &format!("libc6-dev-{debian}-cross"),
            &library,
            "is the C library that they are linked against",
        ),
    ]
}

impl Package {
    fn file(name: &str, proof: &str, why: &'static str) -> Self {
        Self { name: name.to_owned(), proof: Proof::File(proof.into()), why }
    }

    fn program(name: &str, proof: &'static str, why: &'static str) -> Self {
        Self { name: name.to_owned(), proof: Proof::Program(proof), why }
    }

    fn is_there(&self) -> bool {
        match &self.proof {
            Proof::Program(program) => workspace::on_path(program).is_some(),
            Proof::File(file) => file.exists(),
        }
    }
}

/// The version of a package that is installed.
pub(crate) fn version(package: &str) -> Result<String> {
    step::ask(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]))
}

/// Fails where apt does not know the package.
pub(crate) fn offered(package: &str) -> Result<()> {
    if !is_offered(package) {
        bail!("apt has no package {package}; install its programs by hand");
    }
    Ok(())
}

/// Whether apt knows the package. Updates apt's lists once if it does not.
pub(crate) fn is_offered(package: &str) -> bool {
    if workspace::on_path("apt-get").is_none() {
        return false;
    }
    has_candidate(package) || (update().is_ok() && has_candidate(package))
}

/// Installs those of `packages` that are missing.
pub(crate) fn install(packages: Vec<Package>) -> Result<()> {
    let missing: Vec<Package> = packages.into_iter().filter(|package| !package.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for Package { name, why, .. } in &missing {
        step::say(format_args!("packages: {name} is missing; it {why}"));
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name.as_str()).collect();
    let names_shown = names.join(" ");
    if workspace::on_path("apt-get").is_none() {
        bail!("cannot install {names_shown} without apt; install their programs by hand");
    }
    step::say(format_args!("packages: installing {names_shown}"));
    apt_install(&names).with_context(|| format!("cannot install {names_shown}"))?;
    match missing.iter().find(|package| !package.is_there()) {
        None => Ok(()),
        Some(Package { name, proof, .. }) => bail!("{name} is installed, but {} is missing", proof.shown()),
    }
}

impl Proof {
    fn shown(&self) -> String {
        match self {
            Self::Program(program) => format!("the program {program}"),
            Self::File(file) => Path::display(file).to_string(),
        }
    }
}

/// Package lists go stale: the mirror drops a version when a newer one comes. So it updates them after a
/// first failure and tries again.
fn apt_install(names: &[&str]) -> Result<()> {
    // `--no-remove`: rustc-web would replace Debian's own rustc or rustup, which only their owner may
    // decide.
    let mut args = vec!["install", "--yes", "--no-install-recommends", "--no-remove"];
    args.extend_from_slice(names);
    // Without root this error says what to type, and a second try is useless.
    let mut install = apt_get(&args)?;
    if let Err(first) = step::ask(&mut install) {
        step::say("packages: apt-get install failed; trying again after an update");
        update().context(first)?;
        step::ask(&mut install)?;
    }
    Ok(())
}

fn update() -> Result<()> {
    let mut update = apt_get(&["update"])?;
    step::say("packages: updating apt's lists");
    step::ask(&mut update).map(drop)
}

/// apt-get as root, without questions; waits while another apt runs.
fn apt_get(args: &[&str]) -> Result<Command> {
    let mut words = vec!["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
    words.extend_from_slice(args);
    Privilege::find().command(OsStr::new("env"), &words, &[])
}

fn has_candidate(package: &str) -> bool {
    let mut policy = Command::new("apt-cache");
    policy.args(["policy", package]).env("LC_ALL", "C");
    step::ask(&mut policy).is_ok_and(|said| names_candidate(&said))
}

/// Reads the output of `apt-cache policy`: it is empty for an unknown package, and has the candidate
/// `(none)` for one that only other packages name.
fn names_candidate(policy: &str) -> bool {
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    candidate.is_some_and(|version| version != "(none)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_with_a_candidate_can_be_installed() {
        assert!(names_candidate("rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n"));
    }

    #[test]
    fn an_unknown_package_cannot_be_installed() {
        assert!(!names_candidate(""));
        assert!(!names_candidate("llvm-99-dev:\n  Installed: (none)\n  Candidate: (none)\n"));
    }

    #[test]
    fn a_package_is_installed_when_its_proof_exists() {
        assert!(Package::program("dash", "sh", "").is_there());
        assert!(Package::file("base-files", "/etc", "").is_there());
        assert!(!Package::program("none", "no-such-program", "").is_there());
    }
}
