//! The nightlies of rustup, and the sources of `core` for one of them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::step;
use crate::toolchain::Rustc;

/// A nightly toolchain that rustup has installed.
#[derive(Debug)]
pub(crate) struct Nightly {
    pub(crate) name: String,
    pub(crate) rustc: Rustc,
    pub(crate) has_core_sources: bool,
}

/// The sources are 4 MB: after this time the network does not let them through.
const COMPONENT_LIMIT: Duration = Duration::from_mins(1);

/// A whole toolchain is 150 MB.
const TOOLCHAIN_LIMIT: Duration = Duration::from_mins(5);

/// Every nightly that starts; empty without rustup.
pub(crate) fn nightlies() -> Vec<Nightly> {
    let listed = step::ask(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    names(&listed).filter_map(nightly).collect()
}

/// Adds the sources to the newest nightly, or installs a nightly where there is none. It updates no
/// nightly, since the owner may have pinned it.
pub(crate) fn install_core_sources() -> Result<()> {
    let usable = nightlies().into_iter().filter(|nightly| nightly.rustc.compiles_this_workspace());
    let newest = usable.max_by_key(|nightly| nightly.rustc.major_minor());
    let mut rustup = Command::new("rustup");
    let limit = if let Some(Nightly { name, .. }) = newest {
        rustup.args(["component", "add", "rust-src", "--toolchain", &name]);
        COMPONENT_LIMIT
    } else {
        rustup.args(["toolchain", "install", "nightly", "--no-self-update"]);
        rustup.args(["--profile", "minimal", "--component", "rust-src"]);
        TOOLCHAIN_LIMIT
    };
    step::show_within(limit, &mut rustup)
}

/// Reads `rustup toolchain list`: `nightly-x86_64-unknown-linux-gnu (active, default)`.
fn names(listed: &str) -> impl Iterator<Item = &str> {
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| name.starts_with("nightly"))
}

fn nightly(name: &str) -> Option<Nightly> {
    let rustc = || {
        let mut rustc = Command::new("rustup");
        rustc.args(["run", name, "rustc"]);
        rustc
    };
    let sysroot = step::ask(rustc().args(["--print", "sysroot"])).ok()?;
    let core_sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    let rustc = Rustc::ask(&mut rustc())?;
    Some(Nightly { name: name.to_owned(), rustc, has_core_sources: core_sources.is_dir() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nightlies_are_listed() {
        let listed = "stable-x86_64-unknown-linux-gnu (active, default)\nnightly-2026-05-19-x86_64-unknown-linux-gnu\n";
        assert_eq!(names(listed).collect::<Vec<_>>(), ["nightly-2026-05-19-x86_64-unknown-linux-gnu"]);
    }

    #[test]
    fn without_toolchains_the_list_is_empty() {
        assert_eq!(names("no installed toolchains\n").count(), 0);
    }
}
