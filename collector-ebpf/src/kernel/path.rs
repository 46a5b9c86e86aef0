//! The absolute path of a `struct path`, walked over dentries and mounts to the root of its mount namespace.
//!
//! Not `bpf_d_path`: the kernel refuses it in these hooks. The walk takes no lock, so a concurrent rename can mix old
//! and new names; its bound ends it all the same.

use core::{mem::offset_of, ptr};

use collector_common::{NAME_MAX, PATH_COMPONENTS_MAX, PATH_MAX};
use zerocopy::FromBytes;

use super::{address::Address, offsets::offset};
use crate::maps::walk::{Walk, walk_of};

/// Keeps an index into [`Walk::path`] inside it, and shows the verifier so.
const PATH_MASK: u64 = PATH_MAX as u64 - 1;
/// Keeps the length of a name below the bytes that are reserved for one; all its bits are set.
const NAME_MASK: u64 = NAME_MAX as u64;

/// The result of a step.
const NEXT: u32 = 0;
const ROOT: u32 = 1;
const STUCK: u32 = 2;

/// Walks the `struct path` at `path` in the [`Walk`] at `place`. Returns whether it reached the root.
#[inline(always)]
pub fn walk(place: u32, path: Address) -> bool {
    let Some(walk) = walk_of(place) else { return false };
    walk.dentry = path.read(offset!(path_dentry));
    walk.enter(mount_of(path.follow(offset!(path_mnt))));
    walk.begin = PATH_MAX as u64;
    for _ in 0..PATH_COMPONENTS_MAX {
        match path_step(place) {
            NEXT => {}
            outcome => return outcome == ROOT,
        }
    }
    false
}

/// One step of the walk at `place`. The verifier checks a global function once, not for each caller. Inlined into the
/// loop, it would be checked for each step, which was most of the agent's cost at the start.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn path_step(place: u32) -> u32 {
    match walk_of(place) {
        Some(walk) => walk.step(),
        None => STUCK,
    }
}

impl Walk {
    #[inline(always)]
    fn enter(&mut self, mount: Address) {
        self.mount = mount.0;
        self.root = mount.plus(offset!(mount_mnt)).read(offset!(vfsmount_root));
    }

    #[inline(always)]
    fn step(&mut self) -> u32 {
        if self.dentry == self.root {
            let mount = Address(self.mount);
            let above = mount.follow(offset!(mount_parent));
            if above == mount || above.is_null() {
                return ROOT;
            }
            self.dentry = mount.read(offset!(mount_mountpoint));
            self.enter(above);
            return NEXT;
        }
        let Place { parent, len, name, .. } = Place::of(Address(self.dentry));
        let len = u64::from(len);
        // Each dentry has a parent, if only itself: 0 means that it could not be read.
        if parent == 0 || len > NAME_MASK || len >= self.begin {
            return STUCK;
        }
        self.prepend(Address(name), len);
        // A file that was never in a directory, such as one of memfd_create(2): its dentry is its own parent.
        if parent == self.dentry {
            return ROOT;
        }
        self.dentry = parent;
        NEXT
    }

    /// Prepends `/` and the name of `len` bytes.
    #[inline(always)]
    pub fn prepend(&mut self, name: Address, len: u64) {
        let len = len & NAME_MASK;
        let begin = self.begin.wrapping_sub(len);
        let to = ptr::from_mut(&mut self.path[(begin & PATH_MASK) as usize]);
        // SAFETY: the masked place is below `PATH_MAX`, and the array goes `NAME_MAX + 1` bytes further.
        unsafe { name.copy_to(to.cast(), len as u32) };
        let begin = begin.wrapping_sub(1);
        self.path[(begin & PATH_MASK) as usize] = b'/';
        self.begin = begin;
    }

    /// Whether the path has no bytes yet.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.begin == PATH_MAX as u64
    }

    /// Where the path begins, which must not be empty, and its length.
    #[inline(always)]
    pub fn found(&self) -> (Address, u64) {
        let begin = self.begin & PATH_MASK;
        (Address(ptr::from_ref(&self.path[begin as usize]) as u64), PATH_MAX as u64 - begin)
    }
}

/// The fields of a dentry that say where it is. They are adjacent in a kernel that does not shuffle its structures.
#[derive(FromBytes)]
#[repr(C)]
struct Place {
    parent: u64,
    hash: u32,
    len: u32,
    name: u64,
}

impl Place {
    /// One read gets all of them if they are adjacent. These reads are most of the cost of a walk, at each exec and in
    /// the verifier.
    #[inline(always)]
    fn of(dentry: Address) -> Self {
        let begin = offset!(dentry_parent);
        if offset!(dentry_len) == begin.wrapping_add(offset_of!(Self, len) as u32)
            && offset!(dentry_name) == begin.wrapping_add(offset_of!(Self, name) as u32)
        {
            return dentry.read(begin);
        }
        Self {
            parent: dentry.read(begin),
            hash: 0,
            len: dentry.read(offset!(dentry_len)),
            name: dentry.read(offset!(dentry_name)),
        }
    }
}

/// The `struct mount` that contains this `struct vfsmount`.
#[inline(always)]
fn mount_of(vfsmount: Address) -> Address {
    Address(vfsmount.0.wrapping_sub(offset!(mount_mnt) as u64))
}
