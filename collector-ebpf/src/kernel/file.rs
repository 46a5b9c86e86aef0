//! What an inode tells of a file.

use collector_common::{ABSENT, FileIdentity};

use super::{Address, offset};

/// `I_CTIME_QUERIED`: a flag in the top bit of `i_ctime_nsec`, since 6.13.
const CTIME_QUERIED: u32 = 0x8000_0000;
/// Where a `timespec64` has its nanoseconds.
const TIMESPEC_NANOSECONDS: u32 = 8;
/// `FUSE_SUPER_MAGIC` of include/uapi/linux/magic.h.
const FUSE: u64 = 0x6573_5546;
/// `PROC_USER_INIT_INO`: inode number of the first user namespace, the same since 3.8.
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
            identity.flags |= FileIdentity::CTIME_TOLD;
        }
    } else {
        let ctime = inode.plus(offset!(inode_ctime));
        identity.ctime_s = ctime.read(0);
        identity.ctime_ns = ctime.read(TIMESPEC_NANOSECONDS);
    }
    let file_system = inode.follow(offset!(inode_sb));
    identity.device = file_system.read(offset!(super_dev));
    if is_foreign(file_system) {
        identity.flags |= FileIdentity::FOREIGN;
    }
    identity.mode = inode.read(offset!(inode_mode));
    identity.uid = inode.read(offset!(inode_uid));
    identity.generation = inode.read(offset!(inode_generation));
    identity.links = inode.read(offset!(inode_nlink));
}

/// Whether whoever serves or mounted a file system need not be root.
#[inline(always)]
fn is_foreign(file_system: Address) -> bool {
    let mounted_in = file_system.follow(offset!(super_user_ns)).read::<u32>(offset!(user_namespace_inum));
    file_system.read::<u64>(offset!(super_magic)) == FUSE || mounted_in != FIRST_USER_NAMESPACE
}
