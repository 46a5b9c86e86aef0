//! Files: the identity of an image, by stat(2), and the digests of its bytes.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use md5::Md5;
use serde_json::{Map, Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::clock::Wall;

/// `process.exe` of an image that stat(2) says this of. `deleted` and `memfd` are for the caller to know.
pub fn exe(image: &fs::Metadata) -> Map<String, Value> {
    let device = image.dev();
    let mode = image.mode() & 0o7777;
    let ctime = Wall(i128::from(image.ctime()) * 1_000_000_000 + i128::from(image.ctime_nsec()));
    let mut exe = Map::new();
    exe.insert("device".into(), json!(format!("{}:{}", libc::major(device), libc::minor(device))));
    exe.insert("inode".into(), json!(image.ino()));
    exe.insert("size".into(), json!(image.size()));
    exe.insert("ctime".into(), json!(ctime.to_string()));
    exe.insert("mode".into(), json!(format!("{mode:04o}")));
    exe.insert("uid".into(), json!(image.uid()));
    exe.insert("links".into(), json!(image.nlink()));
    for (name, bit) in [("setuid", 0o4000), ("setgid", 0o2000)] {
        if mode & bit != 0 {
            exe.insert(name.into(), json!(true));
        }
    }
    exe
}

/// `process.hash` of these bytes.
pub fn hashes(bytes: &[u8]) -> Value {
    json!({
        "md5": hex(&Md5::digest(bytes)),
        "sha1": hex(&Sha1::digest(bytes)),
        "sha256": hex(&Sha256::digest(bytes)),
    })
}

/// `process.hash` of a file.
pub fn hashes_of(path: &Path) -> Value {
    hashes(&fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display())))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::hashes;

    #[test]
    fn the_digests_of_nothing_are_the_well_known_ones() {
        let nothing = hashes(b"");
        assert_eq!(nothing["md5"], "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(nothing["sha1"], "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(nothing["sha256"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
