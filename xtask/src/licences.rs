//! The licences of all dependencies, against the list in `deny.toml`. cargo-deny checks that and more, but takes some two
//! minutes to build in a fresh clone, so `cargo xtask ci` only calls it where it is installed.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::step;
use crate::workspace;

/// Checks every package that this workspace or that of the fuzzers takes from a registry.
pub(crate) fn check() -> Result<()> {
    let file = workspace::root().join("deny.toml");
    let deny = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let allowed =
        allowed(&deny).with_context(|| format!("no list `licenses.allow` in {}", file.display()))?;
    let mut refused = Vec::new();
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let mut metadata = workspace::cargo();
        metadata.args(["metadata", "--format-version", "1", "--locked", "--manifest-path", manifest]);
        let metadata: Value = serde_json::from_str(&step::ask(&mut metadata)?)?;
        let packages = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
        for package in packages.iter().filter(|package| package.get("source").is_some_and(Value::is_string)) {
            let text = |key| package.get(key).and_then(Value::as_str).unwrap_or_default();
            if !is_allowed(text("license"), &allowed) {
                refused.push(format!("{} {}: {:?}", text("name"), text("version"), text("license")));
            }
        }
    }
    if !refused.is_empty() {
        bail!("licences that deny.toml does not allow:\n{}", refused.join("\n"));
    }
    Ok(())
}

fn allowed(deny: &str) -> Option<Vec<String>> {
    let deny: toml::Table = deny.parse().ok()?;
    let list = deny.get("licenses")?.get("allow")?.as_array()?;
    list.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Old crates write `/` for `OR`.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let mode = ParseMode { allow_slash_as_or_operator: true, ..ParseMode::STRICT };
    Expression::parse_mode(licence, mode)
        .is_ok_and(|licence| licence.evaluate(|one| allowed.contains(&one.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(licence: &str, expected: bool) {
        let deny = "[licenses]\nallow = [\"MIT\", \"Apache-2.0 WITH LLVM-exception\", \"Unicode-3.0\"]\n";
        assert_eq!(is_allowed(licence, &allowed(deny).unwrap()), expected, "{licence}");
    }

    #[test]
    fn a_licence_is_allowed_where_the_list_meets_its_expression() {
        check("Unlicense/MIT", true);
        check("GPL-3.0-only OR MIT", true);
        check("MIT AND GPL-2.0-only", false);
        check("(GPL-3.0-only OR MIT) AND Unicode-3.0", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("MIT WITH LLVM-exception", false);
        check("", false);
    }
}
