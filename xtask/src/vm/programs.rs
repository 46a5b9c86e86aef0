//! The programs that run in a guest: the live tests, what they start, and the guest's init.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::step;
use crate::workspace;

const PACKAGE: &str = "collector-tests";

/// The test binaries that run in guests. Each module of one is a group: it has a process of its own there, and a row in the
/// table of results.
const BINARIES: [&str; 2] = ["guest", "live"];

/// The program that the guest's kernel starts first.
const INIT: &str = "guest_init";

/// Tests that do not run in guests: a module or a test of a binary, by the beginning of its path.
struct LeftOut {
    path: &'static str,
    why: &'static str,
}

const LEFT_OUT: [LeftOut; 6] = [
    LeftOut {
        path: "live::digests::work",
        why: "it measures files of up to 1 GB, and figures of a guest mean nothing",
    },
    LeftOut {
        path: "live::digests::swaps::a_file_that_is_written_to_in_the_tick_of_its_exec_never_has_the_digest_of_what_came_after",
        why: "an emulated CPU misses ticks, so that two writes 30 ms apart leave the same change time",
    },
    LeftOut {
        path: "live::overload::faults",
        why: "its storms take minutes under emulation, and how losses are reported depends on no kernel",
    },
    LeftOut {
        path: "live::inspect::sockets::a_thousand_sockets_take_one_dump_for_each_family_and_50_ms",
        why: "it measures, and figures of a guest mean nothing",
    },
    LeftOut {
        path: "live::inspect::sockets::sockets_of_another_network_namespace_are_reported_correctly",
        why: "it needs Python, which guests do not have",
    },
    LeftOut {
        path: "live::inspect::files::a_mapped_file_of_any_name_is_reported_by_it",
        why: "it needs Python, which guests do not have",
    },
];

/// Executables that cargo built. They have the same paths in the guest as here, since the paths of the
/// programs that tests start are compiled into the tests.
pub(super) struct TestPrograms {
    pub(super) init: PathBuf,
    /// By the names of the binaries.
    pub(super) tests: BTreeMap<String, PathBuf>,
    /// The programs that tests start.
    pub(super) others: Vec<PathBuf>,
    /// The modules of tests to run, as `live::exec`.
    pub(super) groups: Vec<String>,
}

impl TestPrograms {
    /// The orders of the guest's init: a line for each group, with its binary and the arguments, separated
    /// by tabs.
    pub(super) fn orders(&self) -> String {
        self.groups.iter().map(|group| self.order(group)).collect()
    }

    fn order(&self, group: &str) -> String {
        let Some((binary, module)) = group.split_once("::") else { return String::new() };
        let Some(path) = self.tests.get(binary) else { return String::new() };
        let skipped = LEFT_OUT.iter().filter_map(|out| out.path.strip_prefix(&format!("{binary}::")));
        let skipped = skipped.filter(|path| path.starts_with(&format!("{module}::")));
        let skips: Vec<String> = skipped.map(|path| format!("\t--skip\t{path}")).collect();
        format!("{group}\t{}\t{module}::{}\n", path.display(), skips.concat())
    }
}

/// The modules of the test binaries that match a pattern; `*` stands for anything.
pub(super) fn groups(patterns: &[String]) -> Result<Vec<String>> {
    let mut groups = Vec::new();
    for binary in BINARIES {
        let directory = workspace::root().join("tests/tests").join(binary);
        let reading = || format!("cannot read {}", directory.display());
        for entry in fs::read_dir(&directory).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            let module = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let group = format!("{binary}::{module}");
            if patterns.iter().any(|pattern| matches(pattern, &group)) && has_tests(&path)? {
                groups.push(group);
            }
        }
    }
    groups.sort();
    if groups.is_empty() {
        bail!("no module of tests/tests/{{{}}} is named {}", BINARIES.join(","), patterns.join(" or "));
    }
    Ok(groups)
}

/// Whether a file or a file below a directory marks tests. Some modules have helpers only.
fn has_tests(path: &Path) -> Result<bool> {
    let reading = || format!("cannot read {}", path.display());
    if !path.is_dir() {
        return Ok(fs::read_to_string(path).with_context(reading)?.contains("\n#[live_test"));
    }
    for entry in fs::read_dir(path).with_context(reading)? {
        if has_tests(&entry.with_context(reading)?.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|behind| {
            behind.char_indices().any(|(place, _)| matches(rest, &behind[place..])) || matches(rest, "")
        }),
    }
}

/// Prints the tests that do not run, so that they do not look as if they had passed.
pub(super) fn say_left_out() {
    for LeftOut { path, why } in LEFT_OUT {
        step::say(format_args!("tests: left out, {path}: {why}"));
    }
}

/// Compiles the programs for a target of rustc.
pub(super) fn build(mut cargo: Command, target: Option<&str>, patterns: &[String]) -> Result<TestPrograms> {
    step::say("tests: building those that run in guests");
    cargo.args(["test", "--package", PACKAGE, "--no-run", "--bins"]);
    cargo.args(target.map(|target| format!("--target={target}")));
    cargo.args(["--message-format", "json-render-diagnostics"]);
    for binary in BINARIES {
        cargo.args(["--test", binary]);
    }
    let groups = groups(patterns)?;
    let said = step::ask(&mut cargo).context("cannot build the tests")?;
    sort(&said, groups)
}

/// Reads cargo's messages, one JSON object a line.
fn sort(messages: &str, groups: Vec<String>) -> Result<TestPrograms> {
    let (mut init, mut tests, mut others) = (None, BTreeMap::new(), Vec::new());
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("cannot read the output of cargo")?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let (Some(executable), Some(name)) = (text("/executable"), text("/target/name")) else { continue };
        let executable = PathBuf::from(executable);
        let is_test = message.pointer("/profile/test").and_then(Value::as_bool) == Some(true);
        match (text("/target/kind/0"), is_test) {
            (Some("test"), _) => drop(tests.insert(name.to_owned(), executable)),
            (Some("bin"), false) if name == INIT => init = Some(executable),
            (Some("bin"), false) => others.push(executable),
            // The unit tests of a binary.
            _ => {}
        }
    }
    let Some(init) = init else { bail!("cargo built no {INIT}") };
    if tests.is_empty() {
        bail!("cargo built no test of {PACKAGE}");
    }
    Ok(TestPrograms { init, tests, others, groups })
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
    fn programs_are_sorted_by_their_kind() {
        let lines = [
            r#"{"reason":"compiler-artifact","executable":null,"target":{"name":"x","kind":["lib"]}}"#
                .to_owned(),
            artifact("test", "live", true),
            artifact("bin", "subject", false),
            artifact("bin", "subject", true),
            artifact("bin", INIT, false),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let groups = ["live::exec", "live::inspect"].map(str::to_owned).to_vec();
        let programs = sort(&lines.join("\n"), groups).unwrap();
        assert_eq!(programs.init, PathBuf::from("/x/guest_init"));
        assert_eq!(
            programs.orders(),
            "live::exec\t/x/live\texec::\nlive::inspect\t/x/live\tinspect::\t--skip\t\
             inspect::sockets::a_thousand_sockets_take_one_dump_for_each_family_and_50_ms\t--skip\t\
             inspect::sockets::sockets_of_another_network_namespace_are_reported_correctly\t--skip\t\
             inspect::files::a_mapped_file_of_any_name_is_reported_by_it\n"
        );
        assert_eq!(programs.others, [PathBuf::from("/x/subject")]);
    }

    #[test]
    fn without_tests_there_is_nothing_to_run() {
        assert!(sort(&artifact("bin", INIT, false), Vec::new()).is_err());
        assert!(sort(&artifact("test", "live", true), Vec::new()).is_err());
    }

    #[test]
    fn groups_are_the_modules_that_have_tests() {
        let all = groups(&["*".to_owned()]).unwrap();
        for group in ["guest::clock", "live::exec", "live::overload", "live::udp"] {
            assert!(all.iter().any(|it| it == group), "{group} is not in {all:?}");
        }
        for helper in ["live::main", "live::programs", "guest::main"] {
            assert!(all.iter().all(|it| it != helper), "{helper} has no tests");
        }
        assert!(groups(&["live::no_such_module".to_owned()]).is_err());
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name) in
            [("*", "x"), ("live::*", "live::exec"), ("l*e::ex*", "live::exec"), ("a*", "a")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("live::*", "guest::x"), ("live::ex", "live::exec"), ("*x", "xy")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    /// A path that no test has any more would leave nothing out.
    #[test]
    fn what_is_left_out_exists() {
        for LeftOut { path, .. } in LEFT_OUT {
            let (module, name) = path.rsplit_once("::").unwrap();
            let below = workspace::root().join("tests/tests");
            let file = |path: &str| below.join(path.replace("::", "/")).with_extension("rs");
            let is_module = file(path).exists();
            let is_test =
                fs::read_to_string(file(module)).is_ok_and(|text| text.contains(&format!("fn {name}(")));
            assert!(is_module || is_test, "{path}");
        }
    }
}
