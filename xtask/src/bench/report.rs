//! Writes measurements into docs/performance.md: tables, goals, and the machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::step;
use crate::workspace::{self, replace_between};

/// The page, from the root.
const PAGE: &str = "docs/performance.md";

/// The path of a file of the repository's `docs`.
pub(super) fn document(name: &str) -> PathBuf {
    workspace::root().join("docs").join(name)
}

/// Writes `text` between the markers of a section.
pub(super) fn put_section(section: &str, text: &str) -> Result<()> {
    change(|page| with_section(page, section, text))
}

/// Writes a figure into the last column of a goal's row, and the machine below the table.
pub(super) fn put_goal(goal: &str, measured: &str) -> Result<()> {
    step::say(format_args!("{goal}: {measured}"));
    change(|page| with_section(&with_goal(page, goal, measured)?, "machine", &machine()))
}

fn change(edit: impl FnOnce(&str) -> Option<String>) -> Result<()> {
    let path = workspace::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let Some(page) = edit(&page) else { bail!("{PAGE} has no such marker or row") };
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn with_section(page: &str, section: &str, text: &str) -> Option<String> {
    let mark = |place| format!("<!-- {section}: {place} -->");
    replace_between(page, &mark("begin"), &mark("end"), text)
}

/// A row is `| goal | limit | measured |`.
fn with_goal(page: &str, goal: &str, measured: &str) -> Option<String> {
    let row_begin = format!("| {goal} |");
    let mut found = false;
    let lines = page.lines().map(|line| {
        let cells: Vec<&str> = line.split('|').collect();
        match cells.as_slice() {
            ["", _, limit, _, ""] if line.starts_with(&row_begin) => {
                found = true;
                format!("{row_begin}{limit}| {measured} |")
            }
            _ => line.to_owned(),
        }
    });
    let page = lines.collect::<Vec<_>>().join("\n") + "\n";
    found.then_some(page)
}

/// One line: when, processor, cores, kernel, distribution.
pub(super) fn machine() -> String {
    let said = |program: &str, args: &[&str]| {
        step::ask(Command::new(program).args(args)).unwrap_or_default().trim().to_owned()
    };
    let value = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?".to_owned(), |value| value.trim_matches([' ', '\t', ':', '=', '"']).to_owned())
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!(
        "Measured on {} by `cargo xtask bench`: {}, {cores} cores, Linux {}, {}.",
        said("date", &["-u", "+%Y-%m-%d"]),
        value("/proc/cpuinfo", "model name"),
        said("uname", &["-r"]),
        value("/etc/os-release", "PRETTY_NAME"),
    )
}

/// The median; the greater one of two. `None` without values.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_has_its_last_column_replaced() {
        let page = "| goal | limit | – |\n| goals | x | y |\n";
        let expected = "| goal | limit | 3 ms |\n| goals | x | y |\n";
        assert_eq!(with_goal(page, "goal", "3 ms").as_deref(), Some(expected));
        assert_eq!(with_goal(page, "goa", "3 ms"), None);
    }

    #[test]
    fn the_median_needs_no_order() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
