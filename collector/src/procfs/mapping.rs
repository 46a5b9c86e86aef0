//! `/proc/<tgid>/smaps` and `/proc/<tgid>/mem`: a file as a process has it mapped.

use std::fs::File;

use procfs::{FromBufRead as _, process::MemoryMaps};
use rustix::fs::{Mode, OFlags, openat};

use super::{ProcessDir, ReadError};

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

/// The mappings of a file of which the process has changed no page, by `smaps`.
///
/// A page that was written to through a private mapping is the process's own from then on: `Anonymous` counts it, and
/// `Swap` where it was paged out. `None` where the bytes are no `smaps`.
///
/// Device (major << 20 | minor) and inode number are those of the superblock and the inode, as the kernel side tells
/// them; before Linux 6.7, on overlayfs, those of the layer below, so that nothing is found there.
#[must_use]
pub fn unchanged_parts(smaps: &[u8], device: u32, inode: u64) -> Option<Vec<Part>> {
    // Names are any bytes, and not looked at.
    let text = String::from_utf8_lossy(smaps);
    let maps = MemoryMaps::from_buf_read(text.as_bytes()).ok()?;
    let number = |part: i32| u32::try_from(part).unwrap_or(u32::MAX);
    let of_file = maps.0.into_iter().filter(|map| {
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
    use super::{Part, unchanged_parts};

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
    fn only_unchanged_mappings_of_exactly_that_file_count() {
        let part = Part { address: 0x40_0000, offset: 0, len: 0x1000 };
        assert_eq!(unchanged_parts(SMAPS, 254 << 20, 7), Some(vec![part]));
        assert_eq!(unchanged_parts(SMAPS, 253 << 20, 7), Some(Vec::new()));
        assert_eq!(unchanged_parts(SMAPS, 0, 0), Some(Vec::new()));
    }

    #[test]
    fn maps_alone_proves_nothing() {
        let maps = b"00400000-00401000 r-xp 00000000 fe:00 7 /tmp/a\n";
        assert_eq!(unchanged_parts(maps, 254 << 20, 7), Some(Vec::new()));
        assert_eq!(unchanged_parts(b"no smaps\n", 254 << 20, 7), None);
    }
}
