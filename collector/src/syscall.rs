//! The system calls by which /proc and images are read, each through here: in the library's own tests each can be made to fail.

#[cfg(test)]
pub(crate) mod faulty;

#[cfg(test)]
pub(crate) use self::faulty::{fstat, fstatfs, openat, openat2, pread, read, readlinkat_raw, statat, statx};
#[cfg(not(test))]
pub(crate) use rustix::{
    fs::{fstat, fstatfs, openat, openat2, readlinkat_raw, statat, statx},
    io::{pread, read},
};
