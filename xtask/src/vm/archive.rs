//! An archive in the "newc" format of cpio, which a kernel unpacks as its first root. The crate `cpio` writes the members.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

/// An entry of the archive.
enum Entry {
    Directory,
    File { bytes: Vec<u8>, executable: bool },
    Symlink(PathBuf),
}

/// A tree of files, owned by root, in the order of unpacking: a folder before its contents.
#[derive(Default)]
pub(super) struct Archive {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Archive {
    pub(super) fn directory(&mut self, path: &Path) {
        self.insert(path, Entry::Directory);
    }

    pub(super) fn file(&mut self, path: &Path, bytes: Vec<u8>) {
        self.insert(path, Entry::File { bytes, executable: false });
    }

    pub(super) fn program(&mut self, path: &Path, bytes: Vec<u8>) {
        self.insert(path, Entry::File { bytes, executable: true });
    }

    pub(super) fn symlink(&mut self, path: &Path, target: &Path) {
        self.insert(path, Entry::Symlink(target.to_owned()));
    }

    /// Adds the folders above it too; an entry that exists stays.
    fn insert(&mut self, path: &Path, entry: Entry) {
        // Names in an archive have no slash before them.
        let path = path.strip_prefix("/").unwrap_or(path);
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            self.entries.entry(above.to_owned()).or_insert(Entry::Directory);
        }
        self.entries.entry(path.to_owned()).or_insert(entry);
    }

    pub(super) fn write(&self, out: &mut impl Write) -> Result<()> {
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            let (kind, mode, contents) = match entry {
                Entry::Directory => (ModeFileType::Directory, 0o755, &[][..]),
                Entry::File { bytes, executable: true } => (ModeFileType::Regular, 0o755, &bytes[..]),
                Entry::File { bytes, executable: false } => (ModeFileType::Regular, 0o644, &bytes[..]),
                Entry::Symlink(target) => (ModeFileType::Symlink, 0o777, target.as_os_str().as_bytes()),
            };
            let writing = || format!("cannot archive {}", path.display());
            let name = path.to_str().with_context(writing)?;
            let member = Builder::new(name).ino(inode).nlink(1).mode(mode).set_mode_file_type(kind);
            let mut member = member.write(&mut *out, u32::try_from(contents.len()).with_context(writing)?);
            member.write_all(contents).and_then(|()| member.finish().map(drop)).with_context(writing)?;
        }
        trailer(&mut *out).map(drop).context("cannot end the archive")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(archive: &Archive) -> Vec<u8> {
        let mut bytes = Vec::new();
        archive.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn folders_come_before_their_contents_and_names_have_no_leading_slash() {
        let mut archive = Archive::default();
        archive.file(Path::new("/a/b/c"), b"12345".to_vec());
        archive.symlink(Path::new("/a/b-link"), Path::new("b"));
        let bytes = written(&archive);
        let text = String::from_utf8_lossy(&bytes);
        let place = |name: &str| text.find(name).unwrap_or_else(|| panic!("{name} is not in {text:?}"));
        assert!(place("a\0") < place("a/b\0") && place("a/b\0") < place("a/b/c\0"));
        assert!(text.contains("a/b/c\0\0\0\0\x31") || text.contains("12345\0\0\0"));
        assert!(!text.contains("/a/b"));
    }

    #[test]
    fn every_member_starts_at_a_multiple_of_four() {
        let mut archive = Archive::default();
        for len in 0..9 {
            archive.program(Path::new(&"x".repeat(len + 1)), vec![b'y'; len]);
        }
        let bytes = written(&archive);
        let starts: Vec<usize> =
            bytes.windows(6).enumerate().filter(|(_, six)| six == b"070701").map(|(at, _)| at).collect();
        assert_eq!(starts.len(), 10);
        assert!(starts.iter().all(|start| start % 4 == 0), "{starts:?}");
    }
}
