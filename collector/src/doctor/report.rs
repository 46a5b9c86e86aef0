//! All checks and the verdict over them, for people and as JSON.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    check::{Check, Status},
    privileges,
};
use crate::stream::format::printable;

/// `EX_UNAVAILABLE` and `EX_NOPERM` of `sysexits.h`.
const UNAVAILABLE: u8 = 69;
const NO_PERMISSION: u8 = 77;

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// What follows from all checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything works.
    Ok,
    /// It runs without what the checks with a warning name.
    Degraded,
    /// It lacks privileges: what needs them was not tried.
    Unprivileged,
    /// It cannot run on this kernel, or this binary cannot run on any.
    Unsupported,
}

/// What `collector doctor` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    verdict: Verdict,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        let unprivileged = |check: &Check| check.name == privileges::NAME && check.status == Status::Fail;
        let any = |status: Status| checks.iter().any(|check| check.status == status);
        // Privileges first, as for `collector run`: without them the rest is unknown.
        let verdict = if checks.iter().any(unprivileged) {
            Verdict::Unprivileged
        } else if any(Status::Fail) {
            Verdict::Unsupported
        } else if any(Status::Warn) {
            Verdict::Degraded
        } else {
            Verdict::Ok
        };
        Self { verdict, checks }
    }

    /// 0 if the agent can run, 69 if the kernel cannot, 77 if privileges are missing.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Ok | Verdict::Degraded => 0,
            Verdict::Unprivileged => NO_PERMISSION,
            Verdict::Unsupported => UNAVAILABLE,
        }
    }

    /// Writes a line for each check, below it what fails and what to do if it is not ok, and the verdict at the end. Text
    /// from the system is escaped.
    pub fn write_text(&self, out: &mut impl io::Write, colour: bool) -> io::Result<()> {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        for check in &self.checks {
            let (mark, shade) = mark(check.status);
            let (shade, plain) = if colour { (shade, PLAIN) } else { ("", "") };
            writeln!(out, "{shade}{mark}{plain} {:<width$}  {}", check.name, printable(&check.found))?;
            if let Some(affects) = &check.affects {
                writeln!(out, "    fails: {}", printable(affects))?;
            }
            if let Some(advice) = &check.advice {
                writeln!(out, "    do:    {}", printable(advice))?;
            }
        }
        writeln!(out, "{}", self.last_line())
    }

    fn last_line(&self) -> &'static str {
        let fails = |check: &Check| check.name != privileges::NAME && check.status == Status::Fail;
        match self.verdict {
            Verdict::Ok => "ok: everything works here",
            Verdict::Degraded => "degraded: it runs here, without what the lines with ! name",
            Verdict::Unprivileged if self.checks.iter().any(fails) => {
                "unprivileged: it cannot run, and with privileges it could not either: see the lines with ✗"
            }
            Verdict::Unprivileged => "unprivileged: it cannot run, and what needs privileges was not tried",
            Verdict::Unsupported => "unsupported: it cannot run here: see the lines with ✗",
        }
    }
}

fn mark(status: Status) -> (char, &'static str) {
    match status {
        Status::Ok => ('✓', GREEN),
        Status::Warn => ('!', YELLOW),
        Status::Fail => ('✗', RED),
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Report, Verdict};

    #[track_caller]
    fn check(checks: Vec<Check>, verdict: Verdict, exit_code: u8) {
        let report = Report::new(checks);
        assert_eq!((report.verdict, report.exit_code()), (verdict, exit_code));
    }

    fn ok() -> Check {
        Check::ok("kernel", "6.1.0")
    }

    fn warning() -> Check {
        Check::warn("cgroup2", "not mounted", "no connections", "mount it")
    }

    fn failure() -> Check {
        Check::fail("btf", "not there", "everything", "another kernel")
    }

    fn unprivileged() -> Check {
        Check::fail("privileges", "no CAP_BPF", "everything", "sudo")
    }

    #[test]
    fn nothing_to_complain_of_is_ok() {
        check(vec![ok()], Verdict::Ok, 0);
    }

    #[test]
    fn a_warning_degrades_and_is_no_failure() {
        check(vec![ok(), warning()], Verdict::Degraded, 0);
    }

    #[test]
    fn a_kernel_that_cannot_is_69() {
        check(vec![warning(), failure()], Verdict::Unsupported, 69);
    }

    #[test]
    fn missing_privileges_are_77_whatever_else_fails() {
        check(vec![failure(), unprivileged(), warning()], Verdict::Unprivileged, 77);
    }

    #[test]
    fn a_check_that_needs_privilege_and_was_not_tried_does_not_blame_the_kernel() {
        check(vec![unprivileged(), Check::not_tried("maps", "privileges")], Verdict::Unprivileged, 77);
    }

    #[test]
    fn text_is_aligned_and_says_what_to_do_below_what_is_not_ok() {
        let mut text = Vec::new();
        Report::new(vec![ok(), warning()]).write_text(&mut text, false).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "✓ kernel   6.1.0\n\
             ! cgroup2  not mounted\n    fails: no connections\n    do:    mount it\n\
             degraded: it runs here, without what the lines with ! name\n"
        );
    }

    #[test]
    fn text_of_the_system_cannot_speak_to_the_terminal() {
        let mut text = Vec::new();
        Report::new(vec![Check::ok("kernel", "6.1\x1b[2J\u{202e}")]).write_text(&mut text, false).unwrap();
        assert!(String::from_utf8(text).unwrap().starts_with("✓ kernel  6.1\\u{1b}[2J\\u{202e}\n"));
    }

    #[test]
    fn only_the_mark_is_coloured() {
        let mut text = Vec::new();
        Report::new(vec![ok()]).write_text(&mut text, true).unwrap();
        assert!(String::from_utf8(text).unwrap().starts_with("\x1b[32m✓\x1b[0m kernel  6.1.0\n"));
    }

    #[test]
    fn json_keeps_its_shape_and_leaves_out_what_does_not_apply() {
        assert_eq!(
            serde_json::to_value(Report::new(vec![ok(), warning()])).unwrap(),
            serde_json::json!({"verdict": "degraded", "checks": [
                {"name": "kernel", "status": "ok", "found": "6.1.0"},
                {"name": "cgroup2", "status": "warn", "found": "not mounted", "affects": "no connections",
                 "advice": "mount it"},
            ]})
        );
    }
}
