//! Programs outside the workspace that use its library crates: they compile, they run over recorded data, and they do not
//! pull in what belongs to the command line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::step;
use crate::workspace;

/// Crates that a program which embeds the agent must not get, by the start of their names.
const FORBIDDEN: &[&str] = &["clap", "toml", "tracing-subscriber", "netlink", "dns-lookup"];

/// Builds and runs both programs, and says how many crates each depends on.
pub(crate) fn check() -> Result<()> {
    let reader = Program::copy("event-reader")?;
    let golden = fixtures("golden.jsonl")?;
    let printed = reader.run(&golden)?;
    let mut failed = 0;
    for file in &golden {
        failed += text_of(file)?.matches("\"outcome\":\"failure\"").count();
    }
    ensure!(failed > 0, "no fixture has a failed connect");
    let lines = printed.lines().count();
    ensure!(lines == failed, "event-reader printed {lines} of {failed} failed connects:\n{printed}");
    reader.dependencies()?;

    let embedder = Program::copy("embedder")?;
    let recording = fixtures("rec")?.into_iter().next().context("no fixture is a recording")?;
    let printed = embedder.run(&[recording])?;
    ensure!(printed.contains(" agent-stop\n"), "the embedder read no agent-stop:\n{printed}");
    let forbidden: Vec<String> =
        embedder.dependencies()?.into_iter().filter(|one| is_forbidden(one)).collect();
    if !forbidden.is_empty() {
        bail!("with default-features = false, collector still depends on {}", forbidden.join(", "));
    }
    Ok(())
}

/// A program of tests/outside, copied below target: its path dependencies hold in both places.
struct Program {
    name: &'static str,
    manifest: PathBuf,
}

impl Program {
    /// Copies the program, with the workspace's lock file, so that both use the same versions.
    fn copy(name: &'static str) -> Result<Self> {
        let from = workspace::root().join("tests/outside").join(name);
        let to = workspace::target("outside").join(name);
        fs::create_dir_all(to.join("src")).with_context(|| format!("cannot make {}", to.display()))?;
        for file in ["Cargo.toml", "src/main.rs"] {
            copy(&from.join(file), &to.join(file))?;
        }
        copy(&workspace::root().join("Cargo.lock"), &to.join("Cargo.lock"))?;
        Ok(Self { name, manifest: to.join("Cargo.toml") })
    }

    fn run(&self, arguments: &[PathBuf]) -> Result<String> {
        step::show(self.cargo("build").arg("--quiet"))?;
        let program = workspace::target("debug").join(self.name);
        step::ask(Command::new(program).args(arguments))
    }

    /// The names of all crates that it is built from, itself left out.
    fn dependencies(&self) -> Result<BTreeSet<String>> {
        let tree = step::ask(self.cargo("tree").args(["--prefix", "none", "--edges", "no-dev"]))?;
        let packages: BTreeSet<String> = tree.lines().skip(1).map(|line| line.replace(" (*)", "")).collect();
        step::say(format_args!("outside: {} depends on {} crates", self.name, packages.len()));
        Ok(packages.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
    }

    fn cargo(&self, verb: &str) -> Command {
        let mut cargo = workspace::cargo();
        cargo.arg(verb).arg("--manifest-path").arg(&self.manifest);
        cargo
    }
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.iter().any(|start| name == *start || name.starts_with(&format!("{start}-")))
}

fn fixtures(ending: &str) -> Result<Vec<PathBuf>> {
    let dir = workspace::root().join("tests/fixtures");
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.to_string_lossy().ends_with(&format!(".{ending}")));
    files.sort();
    Ok(files)
}

fn text_of(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// An unchanged file keeps its time, so that nothing is built again for it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let text = text_of(from)?;
    if fs::read_to_string(to).is_ok_and(|copied| copied == text) {
        return Ok(());
    }
    fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::is_forbidden;

    #[test]
    fn a_crate_is_forbidden_with_its_relatives_and_not_by_chance() {
        assert!(is_forbidden("clap") && is_forbidden("netlink-sys") && is_forbidden("clap-derive"));
        assert!(!is_forbidden("clapper") && !is_forbidden("tracing"));
    }
}
