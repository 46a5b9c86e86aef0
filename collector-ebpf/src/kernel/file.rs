//! What an inode tells of a file.

use collector_common::{ABSENT, FileIdentity};

use super::{Address, offset};

/// `i_ctime_nsec` keeps a flag in its top bit since 6.13 (`I_CTIME_QUERIED`).
const NANOSECONDS: u32 = 0x7fff_ffff;
/// Where a `timespec64` has its nanoseconds.
const TIMESPEC_NANOSECONDS: u32 = 8;

/// Writes the identity of the open file at `file`.
#[inline(always)]
pub fn identity(file: Address, identity: &mut FileIdentity) {
    let inode = file.follow(offset!(file_inode));
    identity.inode = inode.read(offset!(inode_ino));
    identity.size = inode.read(offset!(inode_size));
    if offset!(inode_ctime) == ABSENT {
        identity.ctime_s = inode.read(offset!(inode_ctime_sec));
        identity.ctime_ns = inode.read::<u32>(offset!(inode_ctime_nsec)) & NANOSECONDS;
    } else {
        let ctime = inode.plus(offset!(inode_ctime));
        identity.ctime_s = ctime.read(0);
        identity.ctime_ns = ctime.read(TIMESPEC_NANOSECONDS);
    }
    identity.device = inode.follow(offset!(inode_sb)).read(offset!(super_dev));
    identity.mode = inode.read::<u16>(offset!(inode_mode)) as u32;
    identity.uid = inode.read(offset!(inode_uid));
    identity.generation = inode.read(offset!(inode_generation));
    identity.links = inode.read(offset!(inode_nlink));
}
