//! The digests of an open file, and the proof that its bytes are those that ran.
//!
//! The file must be the one that was seen at the exec: same inode, size and file system. Then either its change time is
//! still the one that was seen, before the first byte is read and after the last; or a process has run it all the while,
//! and while a process runs a file nobody can write to it. The second also covers a file whose change time moved because
//! it was removed, renamed over or linked meanwhile, and a fresh one: see [`sighting`](super::sighting).

use std::{fs::File, io};

use rustix::{
    fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp},
    io::Errno,
};

use super::{
    Limits, hash,
    sighting::{Sighting, settle},
};
use crate::{event::Hashes, file_calls::statx, known::Reason};

/// Why a file gave no digest.
#[derive(Debug)]
pub(super) enum HashError {
    /// Not the file that it should be.
    Other,
    /// The file, but nothing proves that its bytes are those that ran.
    Unproved,
    /// Larger than is read.
    TooLarge,
    /// Reading failed.
    Io(io::Error),
}

impl HashError {
    /// As it is told.
    pub(super) fn reason(&self) -> Reason {
        match self {
            // The process runs another image by now, or is gone and its file is too.
            Self::Other => Reason::Exited,
            Self::Unproved => Reason::Unstable,
            Self::TooLarge => Reason::TooLarge,
            Self::Io(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::ACCESS | Errno::PERM) => Reason::Denied,
                errno => {
                    let errno = errno.and_then(|errno| u32::try_from(errno.raw_os_error()).ok());
                    Reason::Io(errno.and_then(crate::errno::errno_name).unwrap_or("EIO"))
                }
            },
        }
    }
}

impl From<io::Error> for HashError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Who can be asked about an open file.
pub(super) struct Witness<'a> {
    /// The device of the file system that is mounted under this id.
    pub device_of_mount: &'a dyn Fn(u64) -> Option<u32>,
    /// Whether a process has run this very file without a break, and nobody can write to a file that runs.
    pub still_runs: &'a dyn Fn(&Statx) -> bool,
}

/// The digests of `file`, which must be the file of `sighting` with the bytes that it had then. `true` where it is the
/// running process that proves them.
pub(super) fn digest(
    file: &File,
    sighting: &Sighting,
    limits: Limits,
    witness: &Witness<'_>,
) -> Result<(Hashes, bool), HashError> {
    let before = look(file)?;
    if !is_same(&before, sighting, witness) {
        return Err(HashError::Other);
    }
    if sighting.file.size > limits.max_size {
        return Err(HashError::TooLarge);
    }
    if sighting.is_fresh() && !settle(&sighting.file) {
        return Err(HashError::Unproved);
    }
    let (hashes, len) = hash::hash(&mut hash::Content::of(file), limits.algorithms, sighting.file.size)?;
    let after = look(file)?;
    if len != sighting.file.size || !is_same(&after, sighting, witness) {
        return Err(HashError::Unproved);
    }
    let seen = (sighting.file.ctime_s, sighting.file.ctime_ns);
    let untouched = time(before.stx_ctime) == seen && time(after.stx_ctime) == seen;
    if untouched && !sighting.is_fresh() {
        return Ok((hashes, false));
    }
    let unwritten = time(before.stx_mtime) == time(after.stx_mtime);
    // Where it was touched it was not written to: no time of it is later than what was seen, but the one that every touch
    // moves. The birth is looked at for the inode number, which another file may have by now.
    let older = |stamp| time(stamp) <= seen;
    let has_birth = StatxFlags::from_bits_retain(after.stx_mask).contains(StatxFlags::BTIME);
    let only_touched = older(after.stx_mtime) && (!has_birth || older(after.stx_btime));
    if unwritten && (untouched || only_touched) && (witness.still_runs)(&after) {
        return Ok((hashes, true));
    }
    Err(HashError::Unproved)
}

fn look(file: &File) -> Result<Statx, HashError> {
    let asked = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    Ok(statx(file, "", AtFlags::EMPTY_PATH, asked).map_err(io::Error::from)?)
}

fn time(stamp: StatxTimestamp) -> (i64, u32) {
    (stamp.tv_sec, stamp.tv_nsec)
}

/// Whether it is the regular file with the inode number and the size that were seen, on the same file system.
///
/// On btrfs and overlayfs stat(2) shows a device of the subvolume or the layer, where the kernel side has that of the
/// superblock; the table of mounts has it too. Inode numbers are the same on both sides.
fn is_same(found: &Statx, sighting: &Sighting, witness: &Witness<'_>) -> bool {
    let file = &sighting.file;
    FileType::from_raw_mode(found.stx_mode.into()) == FileType::RegularFile
        && found.stx_ino == file.inode
        && found.stx_size == file.size
        && (device(found) == file.device || (witness.device_of_mount)(found.stx_mnt_id) == Some(file.device))
}

/// As the kernel holds it: major << 20 | minor.
pub(super) fn device(found: &Statx) -> u32 {
    (found.stx_dev_major << 20) | found.stx_dev_minor
}

#[cfg(test)]
#[path = "proof/tests.rs"]
mod tests;
