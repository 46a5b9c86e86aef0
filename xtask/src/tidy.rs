//! The rules of this tree that neither the compiler nor clippy checks: how a file begins, how long it may be, that no work
//! is left as a comment, and which files and rooms may name each other.

mod accepted;
mod arrows;
mod circles;
mod modules;
mod pages;
mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step;
use crate::tidy::arrows::Arrows;
use crate::tidy::modules::Crate;
use crate::workspace;

/// A longer file holds more than one thing.
const MAX_LINES: usize = 500;

/// Words that mark unfinished work, in halves so that this file has none of them.
const UNFINISHED: &[[&str; 2]] = &[["TO", "DO"], ["FIX", "ME"], ["XX", "X"]];

/// Checks every rule; each fault is a line on stderr.
pub(crate) fn check() -> Result<()> {
    let mut files = Vec::new();
    collect(workspace::root(), &mut files)?;
    files.sort();
    let mut faults = structural_faults()?;
    for file in &files {
        let path = file.strip_prefix(workspace::root()).unwrap_or(file);
        let in_file = faults_of(&read(path)?);
        faults.extend(in_file.iter().map(|(line, rule)| format!("{}:{line}: {rule}", path.display())));
    }
    for page in pages::PAGES {
        let dead = pages::dead_paths(&read(Path::new(page))?, |path| workspace::root().join(path).exists());
        faults.extend(dead.iter().map(|(line, path)| format!("{page}:{line}: {path} does not exist")));
    }
    faults.iter().for_each(step::say);
    if !faults.is_empty() {
        bail!("{} faults in {} files", faults.len(), files.len());
    }
    step::say(format_args!("tidy: {} files, no fault", files.len()));
    Ok(())
}

/// Finds circles and disorder in each crate of the list.
fn structural_faults() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for checked in accepted::CRATES {
        let src = Path::new(checked.src);
        let mut arrows = Arrows::new();
        for root in checked.roots {
            arrows.extend(arrows::of(&Crate::read(&src.join(root), &read)?));
        }
        faults.extend(circles::faults(&arrows, src, checked.circles));
        let rooms: Vec<&str> = checked.rooms.split_whitespace().collect();
        if !rooms.is_empty() {
            faults.extend(rooms::faults(&arrows, src, &rooms, checked.disorder));
        }
    }
    Ok(faults)
}

/// The broken rules of one file, with their lines from 1.
fn faults_of(text: &str) -> Vec<(usize, &'static str)> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push((1, "the file does not start with `//!` and its purpose"));
    }
    if text.lines().count() > MAX_LINES {
        faults.push((MAX_LINES + 1, "the file has more than 500 lines"));
    }
    let marks: Vec<String> = UNFINISHED.iter().map(|halves| halves.concat()).collect();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| marks.iter().any(|mark| mark == word)) {
            faults.push((index + 1, "unfinished work belongs in an issue"));
        }
    }
    faults
}

/// Reads a file by its path from the workspace's root.
fn read(path: &Path) -> Result<String> {
    let file = workspace::root().join(path);
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// Collects all `.rs` files below `dir`, except in `target` and in hidden folders.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, lines: &[usize]) {
        let found: Vec<usize> = faults_of(text).iter().map(|(line, _)| *line).collect();
        assert_eq!(found, lines);
    }

    #[test]
    fn a_file_starts_with_its_purpose() {
        check("//! Purpose.\nfn x() {}\n", &[]);
        check("// Not a module doc.\n", &[1]);
        check("", &[1]);
    }

    #[test]
    fn a_file_ends_at_500_lines() {
        check(&format!("//! P.\n{}", "x;\n".repeat(499)), &[]);
        check(&format!("//! P.\n{}", "x;\n".repeat(500)), &[501]);
    }

    #[test]
    fn unfinished_work_is_found_as_a_word() {
        let [[first, second], ..] = UNFINISHED else { panic!("there are marks") };
        check(&format!("//! P.\n// {first}{second}: more\nlet x{first}{second} = 1;\n"), &[2]);
    }
}
