//! Programs of the registry that xtask builds for itself, each in a folder of its own below target.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::step;
use crate::workspace;

/// A program, its pinned version and how it is built.
pub(crate) struct Tool<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// The folder below target.
    pub(crate) folder: &'a str,
    pub(crate) args: &'a [&'a str],
    pub(crate) variables: &'a [(&'a str, PathBuf)],
    /// Build it although cargo has recorded that it is installed.
    pub(crate) force: bool,
}

impl Tool<'_> {
    /// The folder of the program.
    pub(crate) fn bin(&self) -> PathBuf {
        workspace::target(self.folder).join("bin")
    }

    /// Builds the program, unless the same version with the same features is installed there, and returns its folder.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        let build_dir = workspace::target(self.folder).join("build");
        let version = format!("={}", self.version);
        let mut cargo = workspace::cargo();
        cargo.args(["install", self.name, "--version", &version, "--locked"]).args(self.args).arg("--root");
        cargo.arg(workspace::target(self.folder)).env("CARGO_TARGET_DIR", &build_dir);
        if self.force {
            cargo.arg("--force");
        }
        cargo.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if !self.bin().join(self.name).is_file() {
            step::say(format_args!("{}: building {} (about a minute, once)", self.name, self.version));
        }
        step::ask(&mut cargo).with_context(|| format!("cannot build {} {}", self.name, self.version))?;
        if build_dir.exists() {
            // Some hundred megabytes that nothing reads again.
            fs::remove_dir_all(&build_dir)
                .with_context(|| format!("cannot remove {}", build_dir.display()))?;
        }
        Ok(self.bin())
    }
}
