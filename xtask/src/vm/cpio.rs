//! An archive in cpio's "newc" format, which is what a kernel unpacks as its first root.
//! `Documentation/driver-api/early-userspace/buffer-format.rst` describes it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const MAGIC: &str = "070701";
const TRAILER: &[u8] = b"TRAILER!!!";

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// What stands at a path.
enum Entry {
    Directory,
    File { bytes: Vec<u8>, executable: bool },
    Symlink(PathBuf),
}

/// A tree of files, owned by root, in the order in which it must be unpacked: a folder before what is in it.
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

    /// The folders above it come by themselves; what is there already stays.
    fn insert(&mut self, path: &Path, entry: Entry) {
        let path = relative(path);
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            self.entries.entry(above.to_owned()).or_insert(Entry::Directory);
        }
        self.entries.entry(path).or_insert(entry);
    }

    pub(super) fn write(&self, out: &mut impl Write) -> Result<()> {
        let mut inode = 0;
        for (path, entry) in &self.entries {
            inode += 1;
            let (mode, contents) = match entry {
                Entry::Directory => (DIRECTORY | 0o755, &[][..]),
                Entry::File { bytes, executable: true } => (REGULAR | 0o755, &bytes[..]),
                Entry::File { bytes, executable: false } => (REGULAR | 0o644, &bytes[..]),
                Entry::Symlink(target) => (SYMLINK | 0o777, target.as_os_str().as_bytes()),
            };
            member(out, inode, mode, path.as_os_str().as_bytes(), contents)
                .with_context(|| format!("cannot archive {}", path.display()))?;
        }
        member(out, 0, 0, TRAILER, &[]).context("cannot end the archive")
    }
}

/// Names in an archive have no slash before them.
fn relative(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_owned()
}

/// Thirteen numbers of eight hexadecimal digits, the name with a zero after it, the contents; name and contents are each
/// filled up to a multiple of four.
fn member(out: &mut impl Write, inode: u32, mode: u32, name: &[u8], contents: &[u8]) -> io::Result<()> {
    let len = |bytes: usize| u32::try_from(bytes).map_err(io::Error::other);
    let (name_len, file_len) = (len(name.len() + 1)?, len(contents.len())?);
    let links = 1;
    let numbers = [inode, mode, 0, 0, links, 0, file_len, 0, 0, 0, 0, name_len, 0];
    out.write_all(MAGIC.as_bytes())?;
    for number in numbers {
        write!(out, "{number:08x}")?;
    }
    out.write_all(name)?;
    let header_len = MAGIC.len() + numbers.len() * 8;
    out.write_all(zeros(header_len + name.len() + 1, 1))?;
    out.write_all(contents)?;
    out.write_all(zeros(contents.len(), 0))
}

/// `least` zeros, and as many more as make `len` a multiple of four.
fn zeros(len: usize, least: usize) -> &'static [u8] {
    let count = least + len.next_multiple_of(4) - len;
    [0; 4].get(..count).unwrap_or(&[0; 4])
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
    fn an_archive_without_entries_is_its_trailer() {
        let bytes = written(&Archive::default());
        assert!(bytes.starts_with(b"070701"));
        assert_eq!(&bytes[110..], b"TRAILER!!!\0\0\0\0");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_names_have_no_slash_before() {
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
