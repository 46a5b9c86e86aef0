//! `/proc/<tgid>/maps`, `smaps` and `mem`: what a process has mapped.

use std::fs::File;

use procfs::{FromBufRead as _, process::MemoryMap, process::MemoryMaps};
use rustix::fs::{Mode, OFlags};

use super::{ProcessDir, ReadError};
use crate::syscall::openat;

/// A part of a file, where a process has it in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where in the memory.
    pub address: u64,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// Bytes, to the end of the last page: that may be behind the end of the file.
    pub len: u64,
}

/// The mappings by `maps` or `smaps`, each with its name as the kernel prints it: a newline as `\\012`, ` (deleted)` behind
/// the path of a file that has lost it, nothing for memory of no file. `None` where the bytes are neither.
///
/// The names are kept from the crate, which goes by what they begin with: it panics on a file `/SYSV1`, and takes one
/// `/SYSV` without a number for no `maps` at all. Any process can map such a file.
#[must_use]
pub fn mappings(bytes: &[u8]) -> Option<Vec<(MemoryMap, &[u8])>> {
    let (mut nameless, mut names) = (Vec::with_capacity(bytes.len()), Vec::new());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        // As the crate tells them apart: a mapping begins with its address, in small digits.
        if line.first().is_some_and(u8::is_ascii_uppercase) {
            // The crate multiplies kilobytes by 1,024 without a look. No kernel has as many.
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

/// Most digits of a number in kilobytes whose bytes are a `u64`.
const SIZE_DIGITS: usize = 16;

/// The place of the name among the fields of a mapping.
const NAME: usize = 6;

/// The mappings of a file of which the process has changed no page, by `smaps`.
///
/// A page that was written to through a private mapping is the process's own from then on: `Anonymous` counts it, and
/// `Swap` where it was paged out. `None` where the bytes are no `smaps`.
///
/// Device (major << 20 | minor) and inode number are those of the superblock and the inode, as the kernel side tells
/// them; before Linux 6.7, on overlayfs, those of the layer below, so that nothing is found there.
#[must_use]
pub fn unchanged_parts(smaps: &[u8], device: u32, inode: u64) -> Option<Vec<Part>> {
    let maps = mappings(smaps)?.into_iter().map(|(map, _)| map);
    let number = |part: i32| u32::try_from(part).unwrap_or(u32::MAX);
    let of_file = maps.filter(|map| {
        (number(map.dev.0) << 20) | number(map.dev.1) == device && map.inode == inode && inode != 0
    });
    let unchanged = of_file.filter(|map| {
        // Absent is not none: then this is not smaps.
        ["Anonymous", "Swap"].iter().all(|&own| map.extension.map.get(own) == Some(&0))
    });
    let part =
        |(begin, end): (u64, u64), offset| Part { address: begin, offset, len: end.saturating_sub(begin) };
    Some(unchanged.map(|map| part(map.address, map.offset)).collect())
}

impl ProcessDir {
    /// Opens the memory of the address space that the process has now. After an exec, or its end, it has no bytes.
    pub fn open_memory(&self) -> Result<File, ReadError> {
        openat(self.dir(), "mem", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map(File::from)
            .map_err(|errno| self.error("mem", errno))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part, mappings, unchanged_parts};

    /// Linux 6.18, 2026-11-25, shortened to the fields that are read and one that is not.
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
    fn a_size_that_no_machine_has_is_no_smaps() {
        let of = |size: &str| format!("00400000-00401000 r-xp 00000000 fe:00 7 /a\nSize:  {size} kB\n");
        assert!(mappings(of("9999999999999999").as_bytes()).is_some());
        assert!(mappings(of("18014398509481984").as_bytes()).is_none());
    }

    #[test]
    fn only_unchanged_mappings_of_exactly_that_file_count() {
        let part = Part { address: 0x40_0000, offset: 0, len: 0x1000 };
        assert_eq!(unchanged_parts(SMAPS, 254 << 20, 7), Some(vec![part]));
        assert_eq!(unchanged_parts(SMAPS, 253 << 20, 7), Some(Vec::new()));
        assert_eq!(unchanged_parts(SMAPS, 0, 0), Some(Vec::new()));
    }

    /// The name of the one mapping that is printed so.
    #[track_caller]
    fn check_name(printed: &[u8], expected: &[u8]) {
        let line = [b"00400000-00401000 r-xp 00000000 fe:00 7".as_slice(), printed, b"\n"].concat();
        let found: Vec<_> =
            mappings(&line).unwrap().into_iter().map(|(map, name)| (map.inode, name)).collect();
        assert_eq!(found, [(7, expected)]);
    }

    #[test]
    fn a_file_that_is_named_like_shared_memory_is_a_name_and_no_panic() {
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
        fn no_bytes_make_it_panic(bytes: Vec<u8>, name: Vec<u8>) {
            let _ = mappings(&bytes);
            let line = [b"00400000-00401000 r-xp 00000000 fe:00 7 ".as_slice(), &name, b"\nRss: 4 kB\n"].concat();
            let _ = mappings(&line);
        }
    }

    #[test]
    fn maps_alone_proves_nothing() {
        let maps = b"00400000-00401000 r-xp 00000000 fe:00 7 /tmp/a\n";
        assert_eq!(unchanged_parts(maps, 254 << 20, 7), Some(Vec::new()));
        assert_eq!(unchanged_parts(b"no smaps\n", 254 << 20, 7), None);
    }
}
