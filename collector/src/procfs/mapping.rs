//! `/proc/<tgid>/maps`, `smaps` and `mem`: what a process has mapped.

use std::fs::File;

use ::procfs::{
    FromBufRead as _,
    process::{MemoryMap, MemoryMaps},
};
use rustix::fs::{Mode, OFlags};

use super::{error::ReadError, process_dir::ProcessDir};
use crate::file_calls::openat;

/// A part of a file that is mapped into the memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedPart {
    /// Where it begins in memory.
    pub address: u64,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Bytes up to the end of the last page, which may be behind the end of the file.
    pub len: u64,
}

/// The mappings in `maps` or `smaps`, each with its name as the kernel prints it: a newline as `\\012`, ` (deleted)`
/// behind the path of a removed file, empty for memory without a file. `None` if the bytes are neither.
///
/// Crate procfs does not see the names, since it interprets their beginnings: it panics on a file `/SYSV1`, and
/// rejects all of `maps` for a file `/SYSV` without a number. Any process can map such a file.
#[must_use]
pub fn mappings(bytes: &[u8]) -> Option<Vec<(MemoryMap, &[u8])>> {
    let (mut nameless, mut names) = (Vec::with_capacity(bytes.len()), Vec::new());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        // Crate procfs uses the same test: a mapping begins with its address, in lower case.
        if line.first().is_some_and(u8::is_ascii_uppercase) {
            // Crate procfs multiplies kilobytes by 1,024 without a check. No kernel has that many.
            if line.iter().filter(|byte| byte.is_ascii_digit()).count() > SIZE_DIGITS {
                return None;
            }
            nameless.extend_from_slice(line);
            continue;
        }
        let fields: Vec<&[u8]> = line.splitn(NAME, |&byte| byte == b' ').collect();
        let (numbers, name) = fields.split_at_checked(NAME - 1)?;
        nameless.extend_from_slice(&numbers.join(&b' '));
        nameless.extend_from_slice(b" \n");
        let name = name.first().copied().unwrap_or_default();
        let name = name.strip_suffix(b"\n").unwrap_or(name);
        let begin = name.iter().position(|&byte| byte != b' ').unwrap_or(name.len());
        names.push(name.get(begin..).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&nameless);
    let maps = MemoryMaps::from_buf_read(text.as_bytes()).ok()?;
    Some(maps.0.into_iter().zip(names).collect())
}

/// Most digits of a number of kilobytes whose bytes fit into a `u64`.
const SIZE_DIGITS: usize = 16;

/// Index of the name among the fields of a mapping.
const NAME: usize = 6;

/// The mappings of a file in which the process has changed no page, by `smaps`.
///
/// A page that was written through a private mapping belongs to the process alone: `Anonymous` counts it, or `Swap`
/// if it was paged out. `None` if the bytes are not `smaps`.
///
/// Device (major << 20 | minor) and inode number are those of superblock and inode, as in the kernel side's records.
/// On overlayfs before Linux 6.7, `smaps` has those of the layer below, so no mapping is found.
#[must_use]
pub fn unchanged_parts(smaps: &[u8], device: u32, inode: u64) -> Option<Vec<MappedPart>> {
    let maps = mappings(smaps)?.into_iter().map(|(map, _)| map);
    let number = |part: i32| u32::try_from(part).unwrap_or(u32::MAX);
    let of_file = maps.filter(|map| {
        (number(map.dev.0) << 20) | number(map.dev.1) == device && map.inode == inode && inode != 0
    });
    let unchanged = of_file.filter(|map| {
        // A missing field is not zero: then this is not smaps.
        ["Anonymous", "Swap"].iter().all(|&own| map.extension.map.get(own) == Some(&0))
    });
    let part = |(begin, end): (u64, u64), offset| MappedPart {
        address: begin,
        offset,
        len: end.saturating_sub(begin),
    };
    Some(unchanged.map(|map| part(map.address, map.offset)).collect())
}

impl ProcessDir {
    /// Opens the memory of the current address space. It reads as empty after an exec and after the end of the
    /// process.
    pub fn open_memory(&self) -> Result<File, ReadError> {
        openat(self.dir(), "mem", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map(File::from)
            .map_err(|errno| self.error("mem", errno))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MappedPart, mappings, unchanged_parts};

    /// Linux 6.18, 2026-11-25, reduced to the fields that are read and one that is not.
    const SMAPS: &[u8] = b"00400000-00401000 r-xp 00000000 fe:00 7 /tmp/a\xff \n\
        Size:                  4 kB\nAnonymous:             0 kB\nSwap:                  0 kB\nVmFlags: rd ex mr mw me \n\
        00401000-00403000 r--p 00001000 fe:00 7 /tmp/a\xff \n\
        Size:                  8 kB\nAnonymous:             4 kB\nSwap:                  0 kB\nVmFlags: rd mr mw me \n\
        00403000-00404000 rw-p 00002000 fe:00 7 /tmp/a\xff \n\
        Size:                  4 kB\nAnonymous:             0 kB\nSwap:                  4 kB\nVmFlags: rd mr mw me \n\
        00500000-00501000 r--p 00001000 fe:00 8 /tmp/a\xff.prefix \n\
        Size:                  4 kB\nAnonymous:             0 kB\nSwap:                  0 kB\nVmFlags: rd mr mw me \n\
        00600000-00601000 rw-p 00000000 00:00 0 \n\
        Size:                  4 kB\nAnonymous:             0 kB\nSwap:                  0 kB\nVmFlags: rd mr mw me \n";

    #[test]
    fn smaps_with_an_impossible_size_is_refused() {
        let of = |size: &str| format!("00400000-00401000 r-xp 00000000 fe:00 7 /a\nSize:  {size} kB\n");
        assert!(mappings(of("9999999999999999").as_bytes()).is_some());
        assert!(mappings(of("18014398509481984").as_bytes()).is_none());
    }

    #[test]
    fn only_unchanged_mappings_of_exactly_that_file_count() {
        let part = MappedPart { address: 0x40_0000, offset: 0, len: 0x1000 };
        assert_eq!(unchanged_parts(SMAPS, 254 << 20, 7), Some(vec![part]));
        assert_eq!(unchanged_parts(SMAPS, 253 << 20, 7), Some(Vec::new()));
        assert_eq!(unchanged_parts(SMAPS, 0, 0), Some(Vec::new()));
    }

    /// Checks the name of the one mapping that is printed so.
    #[track_caller]
    fn check_name(printed: &[u8], expected: &[u8]) {
        let line = [b"00400000-00401000 r-xp 00000000 fe:00 7".as_slice(), printed, b"\n"].concat();
        let found: Vec<_> =
            mappings(&line).unwrap().into_iter().map(|(map, name)| (map.inode, name)).collect();
        assert_eq!(found, [(7, expected)]);
    }

    #[test]
    fn a_file_that_is_named_like_shared_memory_keeps_its_name() {
        check_name(b"        /SYSV1", b"/SYSV1");
        check_name(b" /SYSVzzzzzzzz", b"/SYSVzzzzzzzz");
        check_name("   /SYSV1234567é".as_bytes(), "/SYSV1234567é".as_bytes());
    }

    #[test]
    fn a_name_is_kept_to_the_byte() {
        check_name(b" ", b"");
        check_name(b"    /tmp/ a\xff (deleted) ", b"/tmp/ a\xff (deleted) ");
        check_name(b"    [stack]", b"[stack]");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>, name: Vec<u8>) {
            let _ = mappings(&bytes);
            let line = [b"00400000-00401000 r-xp 00000000 fe:00 7 ".as_slice(), &name, b"\nRss: 4 kB\n"].concat();
            let _ = mappings(&line);
        }
    }

    #[test]
    fn maps_shows_no_unchanged_mapping() {
        let maps = b"00400000-00401000 r-xp 00000000 fe:00 7 /tmp/a\n";
        assert_eq!(unchanged_parts(maps, 254 << 20, 7), Some(Vec::new()));
        assert_eq!(unchanged_parts(b"no smaps\n", 254 << 20, 7), None);
    }
}
