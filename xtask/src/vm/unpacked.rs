//! Debian's packages, unpacked into a folder and not installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::step;

/// These packages and all that apt would install with them. `apt_get` simulates it.
pub(super) fn with_needed(mut apt_get: Command, packages: &[&str]) -> Result<Vec<String>> {
    apt_get.args(["install", "--simulate", "--no-install-recommends"]).args(packages).env("LC_ALL", "C");
    Ok(installed(&step::ask(&mut apt_get)?))
}

/// `Inst NAME (VERSION …)`, a line each.
fn installed(said: &str) -> Vec<String> {
    let names = said.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// Unpacks packages below `into`, unless an earlier run has unpacked the same ones.
pub(super) fn unpack(mut apt_get: Command, packages: &[String], into: &Path) -> Result<()> {
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
    step::ask(apt_get.arg("download").args(packages).current_dir(&downloads))
        .with_context(|| format!("cannot download {}", packages.join(" ")))?;
    let reading = || format!("cannot read {}", downloads.display());
    for package in fs::read_dir(&downloads).with_context(reading)? {
        let package = package.with_context(reading)?.path();
        step::ask(Command::new("dpkg").arg("-x").arg(&package).arg(into))?;
    }
    fs::remove_dir_all(&downloads).with_context(|| format!("cannot remove {}", downloads.display()))?;
    fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_names_what_it_would_install() {
        let said = "Reading package lists...\nThe following packages will be REMOVED:\n  qemu-utils\n\
                    Inst libslirp0 (4.7.0-1 Debian:12.15/oldstable [amd64])\nRemv qemu-utils [1:10.0.2]\n\
                    Inst seabios (1.16.2-1 Debian:12.15/oldstable [all])\nConf seabios (1.16.2-1)\n";
        assert_eq!(installed(said), ["libslirp0", "seabios"]);
    }
}
