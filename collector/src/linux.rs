//! Linux system calls that rustix does not have, or not in the form that the agent needs. The only `unsafe` outside
//! `load`.

#![expect(unsafe_code, reason = "system calls that rustix lacks")]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::path::DecInt;
use rustix::process::setpriority_process;

use crate::file_calls::readlinkat_raw;

/// `FILEID_KERNFS` of include/linux/exportfs.h, Linux 5.5: the handle is the 64-bit id of a node.
const FILEID_KERNFS: c_int = 0xfe;

/// Bytes of such a handle.
const KERNFS_HANDLE_LEN: u32 = 8;

/// `struct file_handle` with room for one kernfs id.
#[repr(C)]
struct KernfsHandle {
    handle: libc::file_handle,
    id: [u8; 8],
}

/// Opens a directory of a kernfs (cgroup, sysfs) by its id, with `O_PATH`. `mount` is any open file of that file system.
///
/// Fails with `ESTALE` if no node has the id, `ENOTDIR` if a file has it, `EPERM` without `CAP_DAC_READ_SEARCH` in
/// the initial user namespace.
pub fn open_by_kernfs_id(mount: BorrowedFd<'_>, id: u64) -> io::Result<OwnedFd> {
    let handle =
        libc::file_handle { handle_bytes: KERNFS_HANDLE_LEN, handle_type: FILEID_KERNFS, f_handle: [] };
    let mut handle = KernfsHandle { handle, id: id.to_ne_bytes() };
    let handle = (&raw mut handle).cast::<libc::file_handle>();
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the kernel reads the head at the pointer and `handle_bytes` bytes behind it. `handle` points at a whole
    // `KernfsHandle` that lives to the end of this function and is `repr(C)`: the head is its first field, and `id`,
    // whose 8 bytes `handle_bytes` names, follows without padding since it has alignment 1 and the head is 8 bytes.
    let fd = unsafe { libc::open_by_handle_at(mount.as_raw_fd(), handle, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor must be open and have no other owner: the call above has just created it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

const _: () = assert!(size_of::<KernfsHandle>() == 16);

/// The default nice value.
pub const ORDINARY: i32 = 0;

/// Sets the nice value of the calling thread, which threads that it starts later inherit. A negative value takes
/// `CAP_SYS_NICE`.
pub fn set_nice(nice: i32) -> Result<(), Errno> {
    // In Linux each thread has its own nice value, and `None` means the calling one.
    setpriority_process(None, nice)
}

/// Gives the calling thread the lowest I/O priority: `IOPRIO_CLASS_IDLE` of `ioprio_set(2)`.
pub fn idle_io_priority() -> io::Result<()> {
    /// `IOPRIO_WHO_PROCESS`: with 0 it means the calling thread.
    const WHO_PROCESS: c_int = 1;
    /// `IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)`: the class is above 13 bits of level.
    const IDLE: c_int = 3 << 13;
    // SAFETY: the call takes three numbers and no pointer.
    let answer = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns free memory from the C library to the system. To read the kernel's types, the start takes some ten times
/// the memory of a run.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes a number; glibc locks each arena before it reads it.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// The path of an open file, as the kernel prints it for the agent's own root. Fails with `ENAMETOOLONG` for more
/// than a page.
pub fn path_of(file: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let link = [b"/proc/self/fd/", DecInt::from_fd(file).as_bytes()].concat();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let (path, _) = readlinkat_raw(CWD, link.as_slice(), &mut buffer)?;
    Ok(path.to_vec())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_system_without_kernfs_is_refused() {
        // EPERM without the capability, ESTALE or EOPNOTSUPP with it: never a descriptor.
        let directory = File::open(env!("CARGO_MANIFEST_DIR")).unwrap();
        assert!(open_by_kernfs_id(directory.as_fd(), 1).is_err());
    }
}
