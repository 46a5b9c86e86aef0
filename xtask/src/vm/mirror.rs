//! Debian's mirror, asked by a set of lists of our own below target: the machine's own lists of apt are neither read nor
//! written, and nothing is installed. Signatures are checked against the keys of `debian-archive-keyring`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use crate::step;

const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Archive and suite, for all kernels from 5.10 on. Security's suites have the newest of their release.
const SUITES: [(&str, &str); 6] = [
    ("debian-security", "bullseye-security"),
    ("debian-security", "bookworm-security"),
    ("debian", "bookworm"),
    ("debian", "bookworm-backports"),
    ("debian-security", "trixie-security"),
    ("debian", "trixie-backports"),
];

/// The lists of one architecture, as they are at this moment.
pub(super) struct Mirror {
    root: PathBuf,
    arch: Arch,
}

impl Mirror {
    /// Reads the lists anew: the mirror drops a version when a newer one comes.
    pub(super) fn ask(root: &Path, arch: Arch) -> Result<Self> {
        for below in ["lists/partial", "cache/archives/partial", "parts"] {
            let directory = root.join(below);
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let mirror = Self { root: root.to_owned(), arch };
        let line = |(archive, suite): (&str, &str)| {
            format!("deb [signed-by={KEYS}] http://deb.debian.org/{archive} {suite} main\n")
        };
        mirror.write("sources.list", &SUITES.map(line).concat())?;
        // What is installed on this machine has no say in what can be had.
        mirror.write("status", "")?;
        step::say(format_args!("kernels: asking Debian's mirror for {}", arch.debian()));
        step::ask(mirror.apt("apt-get").arg("update")).context("cannot read the lists of Debian's mirror")?;
        Ok(mirror)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let file = self.root.join(file);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The names of all packages that match the pattern and can be had.
    pub(super) fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let said = step::ask(self.apt("apt-cache").args(["search", "--names-only", pattern]))?;
        // `NAME - DESCRIPTION`
        Ok(said.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
    }

    /// Unpacks packages below `into`, where they are not there from an earlier run.
    pub(super) fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        let done = into.join(".unpacked");
        let wanted = packages.join("\n");
        if fs::read_to_string(&done).is_ok_and(|unpacked| unpacked == wanted) {
            return Ok(());
        }
        let downloads = into.with_extension("debs");
        for directory in [into, &downloads] {
            if directory.exists() {
                fs::remove_dir_all(directory)
                    .with_context(|| format!("cannot remove {}", directory.display()))?;
            }
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        step::ask(self.apt("apt-get").arg("download").args(packages).current_dir(&downloads))
            .with_context(|| format!("cannot download {}", packages.join(" ")))?;
        let reading = || format!("cannot read {}", downloads.display());
        for package in fs::read_dir(&downloads).with_context(reading)? {
            let package = package.with_context(reading)?.path();
            step::ask(Command::new("dpkg").arg("-x").arg(&package).arg(into))?;
        }
        fs::remove_dir_all(&downloads).with_context(|| format!("cannot remove {}", downloads.display()))?;
        fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))
    }

    /// apt with nothing of this machine's but its programs and keys.
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
        set("APT::Architecture", &self.arch.debian());
        set("APT::Architectures", &self.arch.debian());
        set("Acquire::Languages", &"none");
        set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", &"false");
        // The lists are this user's; apt's own user may not write them.
        set("APT::Sandbox::User", &"");
        apt.env("LC_ALL", "C");
        apt
    }
}

/// Whether the programs and keys of Debian are here at all.
pub(super) fn check_tools() -> Result<()> {
    if !Path::new(KEYS).exists() {
        bail!(
            "{KEYS} is not there; kernels are taken from Debian's mirror alone, with its signatures checked"
        );
    }
    Ok(())
}
