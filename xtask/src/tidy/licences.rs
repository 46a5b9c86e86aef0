//! The licences of all that we build from, against the list in `deny.toml`. cargo-deny says the same, and
//! more, but it takes minutes to build and is not everywhere.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::step;
use crate::workspace;

/// Every package that is not of this workspace, or of the fuzzers' own one, has a licence that `deny.toml` allows.
pub(crate) fn check() -> Result<()> {
    let file = workspace::root().join("deny.toml");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let allowed = allowed(&text).with_context(|| format!("no `allow = [` in {}", file.display()))?;
    let packages = packages("Cargo.toml")? + &packages("fuzz/Cargo.toml")?;
    // The trees of the members are parted by empty lines.
    let lines = packages.lines().filter(|line| !line.is_empty());
    let refused: Vec<&str> = lines.filter(|line| !is_allowed(line, &allowed)).collect();
    if !refused.is_empty() {
        bail!("licences that deny.toml does not allow:\n{}", refused.join("\n"));
    }
    Ok(())
}

/// A line for each package that a workspace is built from, as [`is_allowed`] reads it.
fn packages(manifest: &str) -> Result<String> {
    let mut tree = workspace::cargo();
    tree.arg("tree").arg("--manifest-path").arg(workspace::root().join(manifest));
    tree.args(["--workspace", "--locked", "--prefix", "none", "--format", "{l}\t{p}"]);
    step::ask(&mut tree)
}

/// The strings of `allow = [ … ]`.
fn allowed(deny: &str) -> Option<Vec<&str>> {
    let (_, list) = deny.split_once("\nallow = [")?;
    let (list, _) = list.split_once(']')?;
    Some(list.split('"').skip(1).step_by(2).collect())
}

/// Reads a line of `cargo tree`: a licence, a tab, a name with version. One of ours has a path behind it.
fn is_allowed(line: &str, allowed: &[&str]) -> bool {
    match line.split_once('\t') {
        Some((_, package)) if package.contains("(/") => true,
        Some((licence, _)) => either(&tokens(licence), allowed),
        None => false,
    }
}

/// The words and parentheses of an SPDX expression, with `A WITH B` as one word. Old crates write `/` for OR.
fn tokens(licence: &str) -> Vec<String> {
    let spaced = licence.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let joined = spaced.split_whitespace().collect::<Vec<_>>().join(" ").replace(" WITH ", "+");
    joined.split(' ').map(|token| token.replace('+', " WITH ")).collect()
}

/// SPDX: AND binds stronger than OR, and parentheses stronger than both.
fn either(tokens: &[String], allowed: &[&str]) -> bool {
    parted_at("OR", tokens)
        .into_iter()
        .any(|all| parted_at("AND", all).into_iter().all(|one| single(one, allowed)))
}

fn single(tokens: &[String], allowed: &[&str]) -> bool {
    match tokens {
        [one] => allowed.contains(&one.as_str()),
        [open, inner @ .., close] if open == "(" && close == ")" => either(inner, allowed),
        _ => false,
    }
}

/// Splits at each `word` outside parentheses.
fn parted_at<'a>(word: &str, tokens: &'a [String]) -> Vec<&'a [String]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token.as_str() {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token == word
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_licence(licence: &str, expected: bool) {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];
        assert_eq!(is_allowed(&format!("{licence}\tname v1.0.0"), &allowed), expected, "{licence}");
    }

    #[test]
    fn one_allowed_alternative_is_enough() {
        check_licence("GPL-3.0 OR MIT", true);
        check_licence("Unlicense/MIT", true);
        check_licence("GPL-3.0", false);
    }

    #[test]
    fn all_conjuncts_must_be_allowed() {
        check_licence("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check_licence("(MIT OR Apache-2.0) AND GPL-2.0-only", false);
        check_licence("GPL-3.0 AND MIT OR Apache-2.0", true);
    }

    #[test]
    fn an_exception_is_part_of_its_licence() {
        check_licence("Apache-2.0 WITH LLVM-exception", true);
        check_licence("MIT WITH LLVM-exception", false);
    }

    #[test]
    fn a_package_without_licence_is_refused() {
        check_licence("", false);
    }

    #[test]
    fn packages_of_this_workspace_are_not_dependencies() {
        assert!(is_allowed("GPL-2.0-only\tcollector-ebpf v0.1.0 (/work/collector-ebpf)", &[]));
    }

    #[test]
    fn the_list_is_read_from_deny_toml() {
        let deny =
            "[licenses]\nallow = [\n    # Of one.\n    \"MIT\",\n    \"ISC\",\n]\n[bans]\nx = [\"y\"]\n";
        assert_eq!(allowed(deny), Some(vec!["MIT", "ISC"]));
    }
}
