//! The image of a process as it is mapped, for a file that cannot be opened: a FUSE file that root may not enter, or a file
//! that a disk no longer delivers.
//!
//! The digest is of the file, byte for byte from its beginning to its end, assembled from the mappings of exactly that file
//! (device and inode number, as the kernel side sends them) in which the process has changed no page. A mapping with a page of
//! its own (relocated data, a breakpoint, overwritten code) is not the file any more and is left out. If the rest does not
//! cover the file there is no digest: readers would take the digest of a part for the file's. A linker puts symbols and section
//! headers behind all that is mapped, so most images have a digest only if the file can be opened.

use std::{
    fs::File,
    io::{self, Read},
};

use super::{hash, observed_file::ObservedFile};
use crate::{
    checksum::Algorithms,
    event::Hashes,
    file_calls::pread,
    procfs::{ProcFile, ProcessDir, mapping::MappedPart, mapping::unchanged_parts},
};

/// Most bytes of smaps that are read: some 700 for each mapping.
const SMAPS_MAX: usize = 16 << 20;

/// The digests of the mapped image; `None` if the mappings do not cover the file.
pub(super) fn dump(process: &ProcessDir, observed: &ObservedFile, algorithms: Algorithms) -> Option<Hashes> {
    // Opened first: the handle stays with this address space, and reads nothing once the process runs another image.
    let memory = process.open_memory().ok()?;
    let parts = parts(process, observed)?;
    let size = observed.file.size;
    let mut image = MappedImage { memory, parts: &parts, place: 0, size };
    let (hashes, len) = hash::hash(&mut image, algorithms, size).ok()?;
    // Checked again: a page that changed during the read has left the list.
    let unchanged = self::parts(process, observed)? == parts;
    (len == size && unchanged).then_some(hashes)
}

fn parts(process: &ProcessDir, observed: &ObservedFile) -> Option<Vec<MappedPart>> {
    let mut smaps = Vec::new();
    let read = process.read_into(ProcFile::Smaps, &mut smaps, SMAPS_MAX).ok()?;
    (!read.truncated).then(|| unchanged_parts(&smaps, observed.file.device, observed.file.inode)).flatten()
}

/// The file, assembled from its mapped parts.
struct MappedImage<'a> {
    memory: File,
    parts: &'a [MappedPart],
    place: u64,
    size: u64,
}

impl Read for MappedImage<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.place >= self.size {
            return Ok(0);
        }
        let has =
            |part: &&MappedPart| (part.offset..part.offset.saturating_add(part.len)).contains(&self.place);
        let part = self.parts.iter().find(has).ok_or(io::ErrorKind::UnexpectedEof)?;
        let into = self.place - part.offset;
        // Behind the end of the file its last page has zeroes, or what the process wrote there.
        let left = (part.len - into).min(self.size - self.place);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..len).unwrap_or_default();
        match pread(&self.memory, buffer, part.address.saturating_add(into))? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                self.place = self.place.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                Ok(len)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    /// A file of `len` letters. Each part has the same offset in the memory and in the file.
    #[track_caller]
    fn check(len: u64, parts: &[(u64, u64)], whole: bool) {
        let letters: Vec<u8> = (b'a'..=b'z').cycle().take(64).collect();
        let mut memory = tempfile::tempfile().unwrap();
        memory.write_all(&letters).unwrap();
        let parts: Vec<_> =
            parts.iter().map(|&(offset, len)| MappedPart { address: offset, offset, len }).collect();
        let mut image = MappedImage { memory, parts: &parts, place: 0, size: len };
        let mut bytes = Vec::new();
        assert_eq!(image.read_to_end(&mut bytes).is_ok(), whole);
        if whole {
            assert_eq!(bytes, letters[..usize::try_from(len).unwrap()]);
        }
    }

    #[test]
    fn parts_may_overlap_and_end_behind_the_file() {
        check(40, &[(0, 32), (16, 48)], true);
        check(40, &[(0, 64)], true);
    }

    #[test]
    fn a_file_with_a_hole_in_its_mappings_is_not_whole() {
        check(40, &[(0, 16), (32, 32)], false);
        check(40, &[(16, 48)], false);
        check(40, &[(0, 32)], false);
        check(40, &[], false);
    }

    #[test]
    fn memory_that_is_gone_fails_the_read() {
        let parts = [MappedPart { address: 4096, offset: 0, len: 64 }];
        let mut image =
            MappedImage { memory: tempfile::tempfile().unwrap(), parts: &parts, place: 0, size: 64 };
        assert!(image.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn an_image_with_relocated_data_or_unmapped_symbols_is_not_whole() {
        let process = crate::procfs::Proc::live().unwrap().process(std::process::id(), None).unwrap();
        let stat = process.image().unwrap().stat;
        let file = collector_common::FileIdentity {
            device: (rustix::fs::major(stat.st_dev) << 20) | rustix::fs::minor(stat.st_dev),
            inode: stat.st_ino,
            size: fs::metadata("/proc/self/exe").unwrap().len(),
            ..Default::default()
        };
        let observed = ObservedFile::new(file, 0, crate::event::Timestamp(0));
        assert!(parts(&process, &observed).is_some_and(|parts| !parts.is_empty()));
        assert!(dump(&process, &observed, Algorithms::ALL).is_none());
    }
}
