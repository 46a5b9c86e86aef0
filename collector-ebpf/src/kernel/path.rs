//! The absolute path of a `struct path`, walked over dentries and mounts to the root of its mount namespace.
//!
//! Not `bpf_d_path`: it is refused in these hooks. A rename while the walk goes on can mix old and new names, as no lock
//! is taken; the walk ends all the same, by its bound.

use core::ptr;

use collector_common::{NAME_MAX, PATH_COMPONENTS_MAX, PATH_MAX};

use super::{Address, offset};
use crate::maps::ExecScratch;

/// Keeps a place in `ExecScratch::path` inside it, in the verifier's eyes too.
pub const PATH_MASK: u64 = PATH_MAX as u64 - 1;
/// Keeps the length of a name below the bytes that are kept free for one; all its bits are set.
const NAME_MASK: u64 = NAME_MAX as u64;

/// Fills `scratch.path` from its end. Answers whether the root was reached.
///
/// The position lives in map memory: with it in a register the verifier follows each value it may have apart, and
/// refuses the loop at 32 components (one million instructions, 6.18).
#[inline(always)]
pub fn walk(scratch: &mut ExecScratch, path: Address) -> bool {
    let mut dentry = path.follow(offset!(path_dentry));
    let mut mount = mount_of(path.follow(offset!(path_mnt)));
    scratch.path_begin = PATH_MAX as u64;
    for _ in 0..PATH_COMPONENTS_MAX {
        let parent = dentry.follow(offset!(dentry_parent));
        let root = mount.plus(offset!(mount_mnt)).follow(offset!(vfsmount_root));
        if dentry == root {
            let above = mount.follow(offset!(mount_parent));
            if above == mount || above.is_null() {
                return true;
            }
            dentry = mount.follow(offset!(mount_mountpoint));
            mount = above;
            continue;
        }
        let len = u64::from(dentry.read::<u32>(offset!(dentry_len)));
        if len > NAME_MASK || len >= scratch.path_begin {
            return false;
        }
        prepend(scratch, dentry.follow(offset!(dentry_name)), len);
        // A file that was never in a directory, as of memfd_create(2): its dentry is its own parent.
        if parent == dentry {
            return true;
        }
        dentry = parent;
    }
    false
}

/// Puts `/` and the name of `len` bytes before what is there.
#[inline(always)]
pub fn prepend(scratch: &mut ExecScratch, name: Address, len: u64) {
    let len = len & NAME_MASK;
    let begin = scratch.path_begin.wrapping_sub(len);
    let to = ptr::from_mut(&mut scratch.path[(begin & PATH_MASK) as usize]);
    // SAFETY: the masked place is below `PATH_MAX`, and the array goes `NAME_MAX + 1` bytes further.
    unsafe { name.copy_to(to.cast(), len as u32) };
    let begin = begin.wrapping_sub(1);
    scratch.path[(begin & PATH_MASK) as usize] = b'/';
    scratch.path_begin = begin;
}

/// The `struct mount` that has this `struct vfsmount` inside it.
#[inline(always)]
fn mount_of(vfsmount: Address) -> Address {
    Address(vfsmount.0.wrapping_sub(offset!(mount_mnt) as u64))
}
