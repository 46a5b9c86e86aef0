//! The digests of an open file, and the proof that its bytes are those that ran.
//!
//! The file must be the one that the exec ran: same inode, size and file system. Then either its change time is still the
//! same, before the first byte is read and after the last; or a process has run it all the time, and no process can write to a
//! file that runs. The second proof also covers a file whose change time moved because it was removed, renamed over or linked
//! meanwhile, and a fresh one: see [`observed_file`](super::observed_file).

use std::{fs::File, io};

use rustix::{
    fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp},
    io::Errno,
};

use super::{
    hash,
    limits::DigestLimits,
    observed_file::{ObservedFile, settle},
};
use crate::{event::Hashes, fact::Reason, file_calls::statx};

/// Why a file gave no digest.
#[derive(Debug)]
pub(super) enum HashError {
    /// It is another file.
    Other,
    /// It is the file, but nothing proves that its bytes are those that ran.
    Unproved,
    /// Larger than the limit.
    TooLarge,
    /// Reading failed.
    Io(io::Error),
}

impl HashError {
    /// The reason on the event.
    pub(super) fn reason(&self) -> Reason {
        match self {
            // The process runs another image by now, or it is gone and so is its file.
            Self::Other => Reason::Exited,
            Self::Unproved => Reason::Unstable,
            Self::TooLarge => Reason::TooLarge,
            Self::Io(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::ACCESS | Errno::PERM) => Reason::Denied,
                Some(errno) => Reason::of_errno(errno),
                None => Reason::Io("EIO"),
            },
        }
    }
}

impl From<io::Error> for HashError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is known about an open file beside its own metadata.
pub(super) struct Evidence<'a> {
    /// The device of the file system with this mount id.
    pub device_of_mount: &'a dyn Fn(u64) -> Option<u32>,
    /// Whether a process has run this very file all the time, on a kernel that refuses writes to a running file.
    pub still_runs: &'a dyn Fn(&Statx) -> bool,
}

/// The digests of `file`, which must be the observed file with the bytes that it had then. `true` if the running process
/// proves them.
pub(super) fn digest(
    file: &File,
    observed: &ObservedFile,
    limits: DigestLimits,
    evidence: &Evidence<'_>,
) -> Result<(Hashes, bool), HashError> {
    let before = look(file)?;
    if !is_same(&before, observed, evidence) {
        return Err(HashError::Other);
    }
    if observed.file.size > limits.max_size {
        return Err(HashError::TooLarge);
    }
    if observed.is_fresh() && !settle(&observed.file) {
        return Err(HashError::Unproved);
    }
    let (hashes, len) = hash::hash(&mut hash::Content::of(file), limits.algorithms, observed.file.size)?;
    let after = look(file)?;
    if len != observed.file.size || !is_same(&after, observed, evidence) {
        return Err(HashError::Unproved);
    }
    let seen = (observed.file.ctime_s, observed.file.ctime_ns);
    let untouched = time(before.stx_ctime) == seen && time(after.stx_ctime) == seen;
    if untouched && !observed.is_fresh() {
        return Ok((hashes, false));
    }
    let unwritten = time(before.stx_mtime) == time(after.stx_mtime);
    // Only ctime may be newer than at the exec; a newer mtime or birth time disproves it: the bytes were written, or another
    // file got the inode number.
    let older = |stamp| time(stamp) <= seen;
    let has_birth = StatxFlags::from_bits_retain(after.stx_mask).contains(StatxFlags::BTIME);
    let only_touched = older(after.stx_mtime) && (!has_birth || older(after.stx_btime));
    if unwritten && (untouched || only_touched) && (evidence.still_runs)(&after) {
        return Ok((hashes, true));
    }
    Err(HashError::Unproved)
}

fn look(file: &File) -> Result<Statx, HashError> {
    let fields = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    Ok(statx(file, "", AtFlags::EMPTY_PATH, fields).map_err(io::Error::from)?)
}

fn time(stamp: StatxTimestamp) -> (i64, u32) {
    (stamp.tv_sec, stamp.tv_nsec)
}

/// Whether it is the observed regular file: same inode number, size and file system.
///
/// On btrfs and overlayfs stat(2) shows the device of the subvolume or the layer. The kernel side sends that of the
/// superblock, which the table of mounts has too. Inode numbers are the same on both sides.
fn is_same(found: &Statx, observed: &ObservedFile, evidence: &Evidence<'_>) -> bool {
    let file = &observed.file;
    FileType::from_raw_mode(found.stx_mode.into()) == FileType::RegularFile
        && found.stx_ino == file.inode
        && found.stx_size == file.size
        && (device(found) == file.device || (evidence.device_of_mount)(found.stx_mnt_id) == Some(file.device))
}

/// A device number as the kernel stores it: major << 20 | minor.
pub(super) fn device(found: &Statx) -> u32 {
    (found.stx_dev_major << 20) | found.stx_dev_minor
}

#[cfg(test)]
#[path = "proof/tests.rs"]
mod tests;
