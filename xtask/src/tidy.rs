//! The rules of this tree that no compiler checks: how files begin and how long they are, what is left
//! unfinished, where `unsafe` may be and how it is explained, and the licences of what we depend on.

mod accepted;
mod arrows;
mod circles;
mod licences;
mod modules;
mod rooms;
mod rules;
mod source;
mod unsafe_code;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step;
use crate::tidy::arrows::Arrows;
use crate::tidy::modules::Crate;
use crate::tidy::source::Source;
use crate::workspace;

pub(crate) use licences::check as check_licences;

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// From 1.
    line: usize,
    rule: &'static str,
}

/// Every rule on every Rust file below the root; each fault is a line on stderr.
pub(crate) fn check_sources() -> Result<()> {
    let mut files = Vec::new();
    collect(workspace::root(), &mut files)?;
    files.sort();
    let mut faults = 0;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let path = file.strip_prefix(workspace::root()).unwrap_or(file).to_string_lossy();
        for Fault { line, rule } in faults_of(&Source::new(&path, &text)) {
            step::say(format_args!("{path}:{line}: {rule}"));
            faults += 1;
        }
    }
    for fault in structural_faults()? {
        step::say(fault);
        faults += 1;
    }
    if faults > 0 {
        bail!("{faults} faults in {} files", files.len());
    }
    Ok(())
}

/// Circles and disorder in each crate of the list.
fn structural_faults() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for checked in accepted::CRATES {
        let mut arrows = Arrows::new();
        for root in checked.roots {
            arrows.extend(arrows::of(&Crate::read(&Path::new(checked.src).join(root), &read)?));
        }
        faults.extend(circles::faults(&arrows, checked.circles));
        if !checked.rooms.is_empty() {
            faults.extend(rooms::faults(&arrows, Path::new(checked.src), checked.rooms, checked.disorder));
        }
    }
    Ok(faults)
}

/// Reads a file by its path from the workspace's root.
fn read(path: &Path) -> Result<String> {
    let file = workspace::root().join(path);
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

fn faults_of(source: &Source) -> Vec<Fault> {
    let mut faults = rules::check(source);
    faults.extend(unsafe_code::check(source));
    faults.sort_by_key(|fault| fault.line);
    faults
}

/// All `.rs` files below `dir`, but none of `target` and of hidden folders.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let reading = || format!("cannot read the folder {}", dir.display());
    for entry in fs::read_dir(dir).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
