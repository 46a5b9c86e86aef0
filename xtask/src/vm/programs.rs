//! The programs that run in a guest: the live tests, what they start, and the guest's init.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::step;

const PACKAGE: &str = "collector-tests";

/// The program that the guest's kernel starts first.
const INIT: &str = "guest_init";

/// A file of tests, or one test of it, that does not run in guests.
struct LeftOut {
    file: &'static str,
    test: Option<&'static str>,
    why: &'static str,
}

const LEFT_OUT: [LeftOut; 6] = [
    LeftOut {
        file: "live_digest_work",
        test: None,
        why: "it measures files of up to 1 GB, and a guest is no place for figures",
    },
    LeftOut {
        file: "live_digest_swaps",
        test: Some(
            "a_file_that_is_written_to_in_the_tick_of_its_exec_never_has_the_digest_of_what_came_after",
        ),
        why: "an emulated CPU misses ticks, so that two writes 30 ms apart leave the same change time",
    },
    LeftOut {
        file: "live_faults",
        test: None,
        why: "its storms take minutes under emulation, and how losses are told depends on no kernel",
    },
    LeftOut {
        file: "live_inspect",
        test: Some("a_thousand_sockets_take_one_dump_for_each_family_and_50_ms"),
        why: "it measures, and a guest is no place for figures",
    },
    LeftOut {
        file: "live_inspect",
        test: Some("sockets_of_another_network_namespace_are_told_right"),
        why: "it needs Python, which guests have not",
    },
    LeftOut {
        file: "live_inspect",
        test: Some("a_mapped_file_of_any_name_is_told_by_it"),
        why: "it needs Python, which guests have not",
    },
];

/// Executables as cargo has made them. They run in the guest under the paths that they have here, since tests have the
/// paths of the programs that they start compiled into them.
pub(super) struct TestPrograms {
    pub(super) init: PathBuf,
    /// By the names of their files.
    pub(super) tests: BTreeMap<String, PathBuf>,
    /// What the tests start.
    pub(super) others: Vec<PathBuf>,
}

impl TestPrograms {
    /// What the guest's init is to run: a test and its arguments a line, parted by tabs.
    pub(super) fn orders(&self) -> String {
        let line = |(name, path): (&String, &PathBuf)| {
            let skipped = LEFT_OUT.iter().filter(|out| out.file == name).filter_map(|out| out.test);
            let skips: Vec<String> = skipped.map(|test| format!("\t--skip\t{test}")).collect();
            format!("{}{}\n", path.display(), skips.concat())
        };
        self.tests.iter().map(line).collect()
    }
}

/// Says what does not run, so that it does not look as if it had passed.
pub(super) fn say_left_out() {
    for LeftOut { file, test, why } in LEFT_OUT {
        let test = test.map(|test| format!(", {test}")).unwrap_or_default();
        step::say(format_args!("tests: left out, {file}{test}: {why}"));
    }
}

/// Compiles them for a target of rustc.
pub(super) fn build(mut cargo: Command, target: Option<&str>, names: &[String]) -> Result<TestPrograms> {
    step::say("tests: building those that run in guests");
    cargo.args(["test", "--package", PACKAGE, "--no-run", "--bins"]);
    cargo.args(target.map(|target| format!("--target={target}")));
    cargo.args(["--message-format", "json-render-diagnostics"]);
    for name in names {
        cargo.args(["--test", name]);
    }
    let said = step::ask(&mut cargo).context("cannot build the tests")?;
    sort(&said)
}

/// Reads cargo's messages, one JSON object a line.
fn sort(messages: &str) -> Result<TestPrograms> {
    let (mut init, mut tests, mut others) = (None, BTreeMap::new(), Vec::new());
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("cannot read what cargo says")?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let (Some(executable), Some(name)) = (text("/executable"), text("/target/name")) else { continue };
        let executable = PathBuf::from(executable);
        let is_test = message.pointer("/profile/test").and_then(Value::as_bool) == Some(true);
        match (text("/target/kind/0"), is_test) {
            (Some("test"), _) if is_left_out(name) => {}
            (Some("test"), _) => drop(tests.insert(name.to_owned(), executable)),
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

fn is_left_out(file: &str) -> bool {
    LEFT_OUT.iter().any(|out| out.file == file && out.test.is_none())
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
            artifact("test", "live_inspect", true),
            artifact("test", "live_faults", true),
            artifact("bin", "subject", false),
            artifact("bin", "subject", true),
            artifact("bin", INIT, false),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let programs = sort(&lines.join("\n")).unwrap();
        assert_eq!(programs.init, PathBuf::from("/x/guest_init"));
        assert_eq!(
            programs.orders(),
            "/x/live_inspect\t--skip\ta_thousand_sockets_take_one_dump_for_each_family_and_50_ms\t--skip\t\
             sockets_of_another_network_namespace_are_told_right\t--skip\t\
             a_mapped_file_of_any_name_is_told_by_it\n/x/live_x\n"
        );
        assert_eq!(programs.others, [PathBuf::from("/x/subject")]);
    }

    #[test]
    fn without_tests_there_is_nothing_to_run() {
        assert!(sort(&artifact("bin", INIT, false)).is_err());
        assert!(sort(&artifact("test", "live_x", true)).is_err());
    }
}
