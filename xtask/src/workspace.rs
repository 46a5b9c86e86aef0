//! The paths of this workspace, and cargo as every step calls it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// A path below the workspace's own `target`. `CARGO_TARGET_DIR` is ignored, since the agent's build
/// script looks for the kernel object there.
pub(crate) fn target(below: &str) -> PathBuf {
    root().join("target").join(below)
}

/// The user's own cargo, which builds everything but the kernel object.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).env("CARGO_TARGET_DIR", root().join("target"));
    cargo
}

/// The first executable of this name on `PATH`, or in the places where Debian keeps tools of root.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let of_root = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(of_root).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A page with `text` instead of what is between two marks; `None` where it lacks one of them.
pub(crate) fn replace_between(page: &str, begin: &str, end: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::replace_between;

    #[test]
    fn only_the_text_between_the_marks_is_replaced() {
        let page = replace_between("before\n<b>\nold\n<e>\nafter\n", "<b>", "<e>", "new\n").unwrap();
        assert_eq!(page, "before\n<b>\n\nnew\n\n<e>\nafter\n");
        assert_eq!(replace_between("no marks", "<b>", "<e>", "new"), None);
    }
}
