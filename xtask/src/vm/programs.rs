//! The programs that run in a guest: the live tests, what they start, and the guest's init.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::step;
use crate::workspace;

const PACKAGE: &str = "collector-tests";

/// The program that the guest's kernel starts first.
const INIT: &str = "guest_init";

/// Executables as cargo has made them. They run in the guest under the paths that they have here, since tests have the
/// paths of the programs that they start compiled into them.
pub(super) struct TestPrograms {
    pub(super) init: PathBuf,
    /// Each runs whole.
    pub(super) tests: Vec<PathBuf>,
    /// What the tests start.
    pub(super) others: Vec<PathBuf>,
}

/// Compiles them as `cargo test` does, so that nothing is compiled twice.
pub(super) fn build(names: &[String]) -> Result<TestPrograms> {
    step::say("tests: building those that run in guests");
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--package", PACKAGE, "--no-run", "--bins"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    for name in names {
        cargo.args(["--test", name]);
    }
    let said = step::ask(&mut cargo).context("cannot build the tests")?;
    sort(&said)
}

/// Reads cargo's messages, one JSON object a line.
fn sort(messages: &str) -> Result<TestPrograms> {
    let (mut init, mut tests, mut others) = (None, Vec::new(), Vec::new());
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("cannot read what cargo says")?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let (Some(executable), Some(name)) = (text("/executable"), text("/target/name")) else { continue };
        let executable = PathBuf::from(executable);
        let is_test = message.pointer("/profile/test").and_then(Value::as_bool) == Some(true);
        match (text("/target/kind/0"), is_test) {
            (Some("test"), _) => tests.push(executable),
            (Some("bin"), false) if name == INIT => init = Some(executable),
            (Some("bin"), false) => others.push(executable),
            // The unit tests of a binary.
            _ => {}
        }
    }
    let Some(init) = init else { bail!("cargo has made no {INIT}") };
    if tests.is_empty() {
        bail!("cargo has made no test of {PACKAGE}");
    }
    Ok(TestPrograms { init, tests, others })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(kind: &str, name: &str, test: bool) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","executable":"/x/{name}","profile":{{"test":{test}}},
                "target":{{"name":"{name}","kind":["{kind}"]}}}}"#
        )
        .replace('\n', " ")
    }

    #[test]
    fn programs_are_parted_by_what_they_are() {
        let lines = [
            r#"{"reason":"compiler-artifact","executable":null,"target":{"name":"x","kind":["lib"]}}"#
                .to_owned(),
            artifact("test", "live_x", true),
            artifact("bin", "subject", false),
            artifact("bin", "subject", true),
            artifact("bin", INIT, false),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let programs = sort(&lines.join("\n")).unwrap();
        assert_eq!(programs.init, PathBuf::from("/x/guest_init"));
        assert_eq!(programs.tests, [PathBuf::from("/x/live_x")]);
        assert_eq!(programs.others, [PathBuf::from("/x/subject")]);
    }

    #[test]
    fn without_tests_there_is_nothing_to_run() {
        assert!(sort(&artifact("bin", INIT, false)).is_err());
        assert!(sort(&artifact("test", "live_x", true)).is_err());
    }
}
