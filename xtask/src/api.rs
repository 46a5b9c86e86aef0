//! The public API of each library crate, as a checked-in list: a change of it fails `cargo xtask ci` until it is accepted.
//!
//! rustdoc's JSON is unstable: a compiler of another release may write a format that the crate `public-api` cannot read.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use public_api::PublicApi;

use crate::step;
use crate::workspace;

/// Crates that others may depend on, and the features that the list includes beside the default ones. collector-event's
/// `construct` is left out: it is for this workspace, and hides what is `non_exhaustive` for others.
const CRATES: &[(&str, &str)] = &[("collector", ""), ("collector-event", "schema"), ("collector-stream", "")];

/// The format of rustdoc's JSON that `public-api` reads; Rust 1.95 writes it.
const FORMAT: u64 = 57;

/// Compares each list with the code, or writes the lists again.
pub(crate) fn check(accept: bool) -> Result<()> {
    let mut changed = Vec::new();
    for (name, features) in CRATES {
        let Some(api) = api(name, features)? else { return Ok(()) };
        let file = workspace::root().join("docs/api").join(format!("{name}.txt"));
        let accepted = fs::read_to_string(&file).unwrap_or_default();
        if api == accepted {
            continue;
        }
        if accept {
            fs::write(&file, &api).with_context(|| format!("cannot write {}", file.display()))?;
            step::say(format_args!("api: {} is new", file.display()));
        } else {
            difference(&accepted, &api).iter().for_each(step::say);
            changed.push(*name);
        }
    }
    if !changed.is_empty() {
        let names = changed.join(", ");
        bail!("the public API of {names} changed: if that is intended, run `cargo xtask api --accept`");
    }
    Ok(())
}

/// The public API of one crate, an item a line; `None` where this compiler's format cannot be read.
fn api(name: &str, features: &str) -> Result<Option<String>> {
    let mut cargo = workspace::cargo();
    cargo.args(["rustdoc", "--quiet", "--package", name, "--lib", "--features", features, "--locked"]);
    cargo.args(["--", "-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"]);
    step::show(cargo.env("RUSTDOC", workspace::root().join("xtask/unstable-rustdoc")))?;
    let json = workspace::target("doc").join(format!("{}.json", name.replace('-', "_")));
    let format = format(&json)?;
    if format == FORMAT {
        return list(&json).map(Some);
    }
    let differs = format!("this compiler's rustdoc writes format {format}, and the list is made of {FORMAT}");
    if env::var("CI").as_deref() == Ok("true") {
        bail!("{differs}: take another version of the crate public-api");
    }
    step::say(format_args!("api: not checked: {differs}"));
    Ok(None)
}

fn format(json: &Path) -> Result<u64> {
    let text = fs::read(json).with_context(|| format!("cannot read {}", json.display()))?;
    let value: serde_json::Value = serde_json::from_slice(&text)?;
    let format = value.get("format_version").and_then(serde_json::Value::as_u64);
    format.with_context(|| format!("{} has no format_version", json.display()))
}

fn list(json: &PathBuf) -> Result<String> {
    let builder = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true);
    let api: PublicApi = builder.omit_auto_trait_impls(true).build()?;
    Ok(api.to_string())
}

/// The lines of one list that the other lacks, with their signs.
fn difference(old: &str, new: &str) -> Vec<String> {
    let lacking = |these: &str, others: &str, sign: &str| {
        let others: std::collections::HashSet<&str> = others.lines().collect();
        these.lines().filter(|line| !others.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let (removed, added): (Vec<_>, Vec<_>) = (lacking(old, new, "-"), lacking(new, old, "+"));
    [removed, added].concat()
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_has_the_removed_lines_and_the_added_ones() {
        assert_eq!(difference("a\nb\n", "b\nc\n"), ["- a", "+ c"]);
        assert!(difference("a\n", "a\n").is_empty());
    }
}
