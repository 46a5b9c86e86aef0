//! The pages for contributors name files: each must exist, so that a page does not survive the file that it describes.

use std::path::Path;

/// From the workspace's root.
pub(super) const PAGES: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/adding.md"];

/// The lines that name a missing file. A name is a word in backticks that begins with a folder of the root.
pub(super) fn dead_paths(text: &str, exists: impl Fn(&Path) -> bool) -> Vec<(usize, String)> {
    let mut dead = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in line.split('`').skip(1).step_by(2) {
            let is_name = word.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c));
            let Some((folder, _)) = word.split_once('/') else { continue };
            let is_path = is_name && folder != "target" && exists(Path::new(folder));
            if is_path && !folder.is_empty() && !exists(Path::new(word)) {
                dead.push((index + 1, word.to_owned()));
            }
        }
    }
    dead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_does_not_exist_is_found_with_its_line() {
        let exists = |path: &Path| ["src", "src/a.rs"].iter().any(|known| Path::new(known) == path);
        let text = "See `src/a.rs`.\nSee `src/b.rs` and `other/c.rs`, `/proc/PID`, `src/{a,b}.rs`, `x`.\n";
        assert_eq!(dead_paths(text, exists), [(2, "src/b.rs".to_owned())]);
    }
}
