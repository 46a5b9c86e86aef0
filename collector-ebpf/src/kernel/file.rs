//! What an inode says about its file.

use collector_common::{ABSENT, FileIdentity};

use super::{address::Address, offsets::offset};

/// `I_CTIME_QUERIED`: a flag in the top bit of `i_ctime_nsec`, since 6.13.
const CTIME_QUERIED: u32 = 0x8000_0000;
/// Offset of the nanoseconds in a `timespec64`.
const TIMESPEC_NANOSECONDS: u32 = 8;
/// `FUSE_SUPER_MAGIC` of include/uapi/linux/magic.h.
const FUSE: u64 = 0x6573_5546;
/// From the same list: NFS, SMB and its predecessor, 9P, Ceph, AFS.
const NETWORK: [u64; 6] = [0x6969, 0xfe53_4d42, 0xff53_4d42, 0x0102_1997, 0x00c3_6400, 0x5346_414f];
/// `PROC_USER_INIT_INO`: inode number of the initial user namespace, the same since 3.8.
const FIRST_USER_NAMESPACE: u32 = 0xefff_fffd;

/// Writes the identity of the open file at `file`.
#[inline(always)]
pub fn identity(file: Address, identity: &mut FileIdentity) {
    let inode = file.follow(offset!(file_inode));
    identity.inode = inode.read(offset!(inode_ino));
    identity.size = inode.read(offset!(inode_size));
    identity.flags = 0;
    if offset!(inode_ctime) == ABSENT {
        identity.ctime_s = inode.read(offset!(inode_ctime_sec));
        let nanoseconds: u32 = inode.read(offset!(inode_ctime_nsec));
        identity.ctime_ns = nanoseconds & !CTIME_QUERIED;
        if nanoseconds & CTIME_QUERIED != 0 {
            identity.flags |= FileIdentity::CTIME_QUERIED;
        }
    } else {
        let ctime = inode.plus(offset!(inode_ctime));
        identity.ctime_s = ctime.read(0);
        identity.ctime_ns = ctime.read(TIMESPEC_NANOSECONDS);
    }
    let file_system = inode.follow(offset!(inode_sb));
    identity.device = file_system.read(offset!(super_dev));
    identity.flags |= flags(file_system);
    identity.mode = inode.read(offset!(inode_mode));
    identity.uid = inode.read(offset!(inode_uid));
    identity.generation = inode.read(offset!(inode_generation));
    identity.links = inode.read(offset!(inode_nlink));
}

/// Flags that apply to all files of a file system.
#[inline(always)]
fn flags(file_system: Address) -> u16 {
    let magic: u64 = file_system.read(offset!(super_magic));
    let mounted_in: u32 = file_system.follow(offset!(super_user_ns)).read(offset!(user_namespace_inum));
    let mut flags = 0;
    if magic == FUSE || mounted_in != FIRST_USER_NAMESPACE {
        flags |= FileIdentity::FOREIGN;
    }
    if magic == FUSE || NETWORK.contains(&magic) {
        flags |= FileIdentity::REMOTE;
    }
    flags
}
