//! The system calls that read /proc and images. All of them go through here, so that the library's own tests can make
//! each of them fail.

#[cfg(test)]
pub(crate) mod faulty;

#[cfg(test)]
pub(crate) use self::faulty::{fstat, fstatfs, openat, openat2, pread, read, readlinkat_raw, statat, statx};
#[cfg(not(test))]
pub(crate) use rustix::{
    fs::{fstat, fstatfs, openat, openat2, readlinkat_raw, statat, statx},
    io::{pread, read},
};
