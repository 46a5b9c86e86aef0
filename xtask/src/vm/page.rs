//! Writes the tables of docs/kernels.md between two marks; the rest of the page is written by hand.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use super::arch::Arch;
use super::report::Report;
use crate::workspace::{self, replace_between};

const FILE: &str = "docs/kernels.md";

/// A mark in the page. It names the command that makes the tables.
fn mark(arch: Arch, place: &str) -> String {
    let option = match arch {
        Arch::X86_64 => String::new(),
        Arch::Aarch64 => format!(" --arch {arch}"),
    };
    format!("<!-- made by `cargo xtask vm{option} --accept`: {place} -->")
}

/// Writes new tables into the page, with a column for each kernel and its report.
pub(super) fn write(arch: Arch, reports: &[(String, Report)]) -> Result<()> {
    let file = workspace::root().join(FILE);
    let page = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let (begin, end) = (mark(arch, "begin"), mark(arch, "end"));
    let page = replace_between(&page, &begin, &end, &tables(reports))
        .with_context(|| format!("{FILE} lacks the marks {begin} and {end}"))?;
    fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))
}

fn tables(reports: &[(String, Report)]) -> String {
    let cost = |report: &Report, program: &str| {
        let cost = report.costs.iter().find(|cost| cost.program == program)?;
        Some(format!("{} / {}", cost.instructions, cost.states))
    };
    let programs = reports.iter().flat_map(|(_, report)| &report.costs).map(|cost| cost.program.as_str());
    let feature = |report: &Report, name: &str| {
        let found = report.features.iter().find(|(feature, _)| feature == name);
        Some(if found?.1 == "ok" { "✓".to_owned() } else { found?.1.clone() })
    };
    let features = reports.iter().flat_map(|(_, report)| &report.features).map(|(name, _)| name.as_str());
    let test = |report: &Report, name: &str| {
        let (_, passed) = report.tests.iter().find(|(test, _)| test == name)?;
        Some(if *passed { "✓" } else { "failed" }.to_owned())
    };
    let tests = reports.iter().flat_map(|(_, report)| &report.tests).map(|(name, _)| name.as_str());
    [
        table("feature", reports, features.collect(), feature),
        table("tests", reports, tests.collect(), test),
        table("program: instructions / states", reports, programs.collect(), cost),
    ]
    .join("\n")
}

/// A row for each name, a column for each kernel, a dash where a kernel has no value.
fn table(
    title: &str,
    reports: &[(String, Report)],
    names: BTreeSet<&str>,
    cell: impl Fn(&Report, &str) -> Option<String>,
) -> String {
    let kernels: Vec<&str> = reports.iter().map(|(kernel, _)| kernel.as_str()).collect();
    let mut table = format!("| {title} | {} |\n|---|{}\n", kernels.join(" | "), "---|".repeat(kernels.len()));
    for name in names {
        let cells: Vec<String> =
            reports.iter().map(|(_, report)| cell(report, name).unwrap_or_else(|| "–".to_owned())).collect();
        // Writing into a string does not fail.
        let _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_a_feature_has_a_dash_in_its_row() {
        let with = Report { features: vec![("fields".to_owned(), "ok".to_owned())], ..Report::default() };
        let reports = [("5.10".to_owned(), Report::default()), ("6.1".to_owned(), with)];
        let tables = tables(&reports);
        assert!(
            tables.starts_with("| feature | 5.10 | 6.1 |\n|---|---|---|\n| fields | – | ✓ |\n"),
            "{tables}"
        );
    }
}
