//! `/proc/<tgid>/fd` and `fdinfo`: the open descriptors.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Statx, StatxFlags, openat, readlinkat_raw, statx};
use rustix::io::{Errno, read};
use rustix::path::DecInt;

use super::error::ReadError;
use super::process_dir::ProcessDir;

/// An open descriptor.
#[derive(Debug)]
pub struct Descriptor {
    /// Its number.
    pub number: u32,
    /// Its target, as the kernel prints it: see [`link`](super::link).
    pub target: Vec<u8>,
    /// The file, as far as the kernel knows it: no file system of a network or a user is queried.
    pub file: Option<Statx>,
    /// Position and flags.
    pub fdinfo: Option<FdInfo>,
}

/// The first lines of `fdinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdInfo {
    /// Position of the next read or write, in bytes.
    pub pos: u64,
    /// `O_*` of open(2), `O_CLOEXEC` among them.
    pub flags: u32,
}

impl FdInfo {
    /// `None` if the bytes are not such a file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some(Self {
            pos: field("pos:")?.parse().ok()?,
            flags: u32::from_str_radix(field("flags:")?, 8).ok()?,
        })
    }
}

impl ProcessDir {
    /// The open descriptors, by number. Leaves out one that is closed meanwhile.
    pub fn descriptors(&self) -> Result<Vec<Descriptor>, ReadError> {
        let fds = self.directory("fd")?;
        let fdinfo = self.directory("fdinfo").ok();
        let numbers = numbers(fds.as_fd()).map_err(|errno| self.error("fd", errno))?;
        Ok(numbers.into_iter().filter_map(|number| descriptor(number, &fds, fdinfo.as_ref())).collect())
    }

    /// The protocol of a socket by its descriptor, as the kernel names it (`TCPv6`, `PACKET`, `NETLINK`). Linux 3.7.
    #[must_use]
    pub fn socket_protocol(&self, number: u32) -> Option<String> {
        // Through the agent's own descriptor of the directory: Linux before 6.13 has no `getxattrat`.
        let own = DecInt::from_fd(self.dir());
        let path = format!("/proc/self/fd/{}/fd/{number}", own.as_str());
        let mut name = [0_u8; 32];
        let len = rustix::fs::getxattr(path, "system.sockprotoname", &mut name).ok()?;
        let name = crate::text::until_nul(name.get(..len)?);
        (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
    }

    /// Opens the network namespace, to enter it.
    pub fn open_net_namespace(&self) -> Result<OwnedFd, ReadError> {
        openat(self.dir(), "ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| self.error("ns/net", errno))
    }

    /// Opens a directory of the process, to list it.
    pub(super) fn directory(&self, name: &'static str) -> Result<OwnedFd, ReadError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(self.dir(), name, flags, Mode::empty()).map_err(|errno| self.error(name, errno))
    }
}

/// The entries of a directory that are numbers, in ascending order.
pub(super) fn numbers(directory: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    let mut numbers = Vec::new();
    for entry in Dir::read_from(directory)? {
        numbers.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn descriptor(number: u32, fds: &OwnedFd, fdinfo: Option<&OwnedFd>) -> Option<Descriptor> {
    let name = DecInt::new(number);
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let (target, _) = readlinkat_raw(fds, name.as_c_str(), &mut buffer).ok()?;
    let target = target.to_vec();
    let flags = AtFlags::STATX_DONT_SYNC;
    let file = statx(fds, name.as_c_str(), flags, StatxFlags::BASIC_STATS).ok();
    let fdinfo = fdinfo.and_then(|directory| small_file(directory, &name).ok());
    Some(Descriptor { number, target, file, fdinfo: fdinfo.and_then(|bytes| FdInfo::parse(&bytes)) })
}

/// The first kilobyte of a file: position and flags come before the long list of an epoll descriptor.
fn small_file(directory: &OwnedFd, name: &DecInt) -> Result<Vec<u8>, Errno> {
    let file = openat(directory, name.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::with_capacity(1024);
    read(&file, spare_capacity(&mut bytes))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::FdInfo;

    #[test]
    fn flags_are_octal_and_the_position_is_decimal() {
        let found = FdInfo::parse(b"pos:\t12\nflags:\t02100002\nmnt_id:\t15\nino:\t7\n");
        assert_eq!(found, Some(FdInfo { pos: 12, flags: 0o2_100_002 }));
        assert_eq!(FdInfo::parse(b"pos:\t12\n"), None);
        assert_eq!(FdInfo::parse(b"\xff"), None);
    }
}
