//! Debian's mirror, with package lists of its own below target: apt's lists of this machine are neither
//! read nor written, and nothing is installed. Signatures are checked with the keys of
//! `debian-archive-keyring`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use super::unpacked;
use crate::step;

const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Archive and suite, for kernels from 5.10 on and for the programs of guests of another architecture. The
/// security suites have the newest kernel of a release.
const SUITES: [(&str, &str); 7] = [
    ("debian-security", "bullseye-security"),
    ("debian-security", "bookworm-security"),
    ("debian", "bookworm"),
    ("debian", "bookworm-backports"),
    ("debian", "trixie"),
    ("debian-security", "trixie-security"),
    ("debian", "trixie-backports"),
];

/// The package lists of one architecture.
pub(super) struct Mirror {
    root: PathBuf,
    arch: Arch,
    /// This machine's release. Packages come from it where several releases have them, so that they fit
    /// together and fit this machine's C library.
    release: String,
}

impl Mirror {
    /// Updates the lists: the mirror drops a version when a newer one comes.
    pub(super) fn ask(root: &Path, arch: Arch) -> Result<Self> {
        for below in ["lists/partial", "cache/archives/partial", "parts"] {
            let directory = root.join(below);
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let mirror = Self { root: root.to_owned(), arch, release: codename()? };
        let line = |(archive, suite): (&str, &str)| {
            format!("deb [signed-by={KEYS}] http://deb.debian.org/{archive} {suite} main\n")
        };
        mirror.write("sources.list", &SUITES.map(line).concat())?;
        // The packages of this machine do not limit which ones can be downloaded.
        mirror.write("status", "")?;
        step::say(format_args!("kernels: asking Debian's mirror for {}", arch.debian()));
        step::ask(mirror.apt("apt-get").arg("update")).context("cannot read the lists of Debian's mirror")?;
        Ok(mirror)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let file = self.root.join(file);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The names of all packages that match the pattern.
    pub(super) fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let said = step::ask(self.apt("apt-cache").args(["search", "--names-only", pattern]))?;
        // `NAME - DESCRIPTION`
        Ok(said.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
    }

    /// These packages and all that they depend on.
    pub(super) fn with_needed(&self, packages: &[&str]) -> Result<Vec<String>> {
        unpacked::with_needed(self.apt("apt-get"), packages)
    }

    /// Unpacks packages below `into`, unless an earlier run has.
    pub(super) fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        unpacked::unpack(self.apt("apt-get"), packages, into)
    }

    /// apt with this machine's programs and keys, but without its state.
    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        let mut set = |name: &str, value: &dyn AsRef<std::ffi::OsStr>| {
            let mut setting = OsString::from(format!("{name}="));
            setting.push(value.as_ref());
            apt.arg("-o").arg(setting);
        };
        for (name, below) in [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::sourceparts", "parts"),
            ("Dir::State", ""),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
        ] {
            set(name, &self.root.join(below));
        }
        set("APT::Default-Release", &self.release);
        set("APT::Architecture", &self.arch.debian());
        set("APT::Architectures", &self.arch.debian());
        set("Acquire::Languages", &"none");
        set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", &"false");
        // The lists belong to this user; apt's own user may not write them.
        set("APT::Sandbox::User", &"");
        apt.env("LC_ALL", "C");
        apt
    }
}

/// `VERSION_CODENAME` of os-release(5).
fn codename() -> Result<String> {
    let file = "/etc/os-release";
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    match text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")) {
        Some(name) => Ok(name.to_owned()),
        None => bail!("{file} has no VERSION_CODENAME: this needs a release of Debian"),
    }
}

/// Fails where Debian's programs and keys are missing.
pub(super) fn check_tools() -> Result<()> {
    if !Path::new(KEYS).exists() {
        bail!(
            "{KEYS} is not there; kernels are taken from Debian's mirror alone, with its signatures checked"
        );
    }
    Ok(())
}
