//! System calls, one of them with another answer than the kernel's.
//!
//! The calls of a thread are counted while it is [`watched`], so a test learns which there are and can make each of
//! them fail. A call that is added to the agent is covered without a change here.

use std::{
    cell::RefCell,
    io::Write as _,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    buffer::Buffer,
    fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat, StatFs, Statx, StatxFlags},
    io::Errno,
    path::Arg,
    pipe::{PipeFlags, pipe_with},
};

/// A fault of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails.
    Fails(Errno),
    /// The file returns its content in two reads.
    Short,
    /// The file is empty, or ends here.
    Empty,
    /// The file never ends.
    Endless,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) path: String,
    kind: CallKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallKind {
    File,
    Bytes,
    Link,
    Other,
}

impl Call {
    /// The faults that it may have.
    pub(crate) fn faults(&self) -> &'static [Fault] {
        const ERRNOS: [Fault; 4] = [
            Fault::Fails(Errno::NOENT),
            Fault::Fails(Errno::SRCH),
            Fault::Fails(Errno::ACCESS),
            Fault::Fails(Errno::IO),
        ];
        const OF_A_FILE: [Fault; 7] =
            [ERRNOS[0], ERRNOS[1], ERRNOS[2], ERRNOS[3], Fault::Short, Fault::Empty, Fault::Endless];
        const OF_BYTES: [Fault; 6] = [ERRNOS[0], ERRNOS[1], ERRNOS[2], ERRNOS[3], Fault::Short, Fault::Empty];
        // The kernel returns all of a link or nothing: this is how an endless one looks.
        const OF_A_LINK: [Fault; 5] =
            [ERRNOS[0], ERRNOS[1], ERRNOS[2], ERRNOS[3], Fault::Fails(Errno::NAMETOOLONG)];
        match self.kind {
            CallKind::File => &OF_A_FILE,
            CallKind::Bytes => &OF_BYTES,
            CallKind::Link => &OF_A_LINK,
            CallKind::Other => &ERRNOS,
        }
    }
}

#[derive(Debug, Default)]
struct Watch {
    calls: Vec<Call>,
    /// The number of the call with a fault, and the fault.
    fault: Option<(usize, Fault)>,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Does `work`, in which one call has a fault, and returns which calls were made.
pub(crate) fn watched<T>(fault: Option<(usize, Fault)>, work: impl FnOnce() -> T) -> (T, Vec<Call>) {
    WATCH.set(Some(Watch { calls: Vec::new(), fault }));
    let done = work();
    (done, WATCH.take().unwrap_or_default().calls)
}

/// Counts a call, and returns its fault.
fn fault(name: &'static str, path: &impl Arg, kind: CallKind) -> Option<Fault> {
    WATCH.with_borrow_mut(|watch| {
        let watch = watch.as_mut()?;
        let path = path.to_string_lossy().into_owned();
        watch.calls.push(Call { name, path, kind });
        watch.fault.filter(|(number, _)| *number == watch.calls.len() - 1).map(|(_, fault)| fault)
    })
}

/// Fails if the fault of a call is an errno, for calls that have no other fault.
fn failed(name: &'static str, path: &impl Arg) -> Result<(), Errno> {
    match fault(name, path, CallKind::Other) {
        Some(Fault::Fails(errno)) => Err(errno),
        _ => Ok(()),
    }
}

pub(crate) fn openat<P: Arg, Fd: AsFd>(
    dir: Fd,
    path: P,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    // Memory is read by its addresses: it has no end, and a replacement would be other memory.
    let is_content = !flags.intersects(OFlags::PATH | OFlags::DIRECTORY) && path.to_string_lossy() != "mem";
    let kind = if is_content { CallKind::File } else { CallKind::Other };
    let fault = fault("openat", &path, kind);
    let instead = |file: &str| rustix::fs::openat(CWD, file, OFlags::RDONLY, Mode::empty());
    match fault {
        None => rustix::fs::openat(dir, path, flags, mode),
        Some(Fault::Fails(errno)) => Err(errno),
        Some(Fault::Empty) => instead("/dev/null"),
        Some(Fault::Endless) => instead("/dev/zero"),
        Some(Fault::Short) => rustix::fs::openat(dir, path, flags, mode).and_then(in_two_reads),
    }
}

/// A pipe that keeps its writes apart: each is one read.
fn in_two_reads(file: OwnedFd) -> Result<OwnedFd, Errno> {
    let content = std::io::read_to_string(std::fs::File::from(file)).map_err(|_| Errno::IO)?;
    // Not behind the end of a string, which would look like the end of all.
    let half = (content.len() / 2..content.len()).find(|&at| !content[..at].ends_with('\0')).unwrap_or(0);
    let (reader, writer) = pipe_with(PipeFlags::DIRECT)?;
    for part in [&content[..half], &content[half..]] {
        std::fs::File::from(writer.try_clone().unwrap()).write_all(part.as_bytes()).unwrap();
    }
    Ok(reader)
}

pub(crate) fn readlinkat_raw<P: Arg, Fd: AsFd, Buf: Buffer<u8>>(
    dir: Fd,
    path: P,
    buffer: Buf,
) -> Result<Buf::Output, Errno> {
    match fault("readlinkat", &path, CallKind::Link) {
        Some(Fault::Fails(errno)) => Err(errno),
        _ => rustix::fs::readlinkat_raw(dir, path, buffer),
    }
}

pub(crate) fn read<Fd: AsFd, Buf: Buffer<u8>>(fd: Fd, buffer: Buf) -> Result<Buf::Output, Errno> {
    failed("read", &"")?;
    rustix::io::read(fd, buffer)
}

/// For the bytes of an image: a read may return any part of them.
pub(crate) fn pread<Fd: AsFd>(fd: Fd, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    match fault("pread", &"", CallKind::Bytes) {
        Some(Fault::Fails(errno)) => Err(errno),
        Some(Fault::Empty) => Ok(0),
        Some(Fault::Short) => rustix::io::pread(fd, buffer, offset).map(|len| len.div_ceil(2)),
        Some(Fault::Endless) | None => rustix::io::pread(fd, buffer, offset),
    }
}

pub(crate) fn fstat<Fd: AsFd>(fd: Fd) -> Result<Stat, Errno> {
    failed("fstat", &"")?;
    rustix::fs::fstat(fd)
}

pub(crate) fn fstatfs<Fd: AsFd>(fd: Fd) -> Result<StatFs, Errno> {
    failed("fstatfs", &"")?;
    rustix::fs::fstatfs(fd)
}

pub(crate) fn statat<P: Arg, Fd: AsFd>(dir: Fd, path: P, flags: AtFlags) -> Result<Stat, Errno> {
    failed("statat", &path)?;
    rustix::fs::statat(dir, path, flags)
}

pub(crate) fn openat2<P: Arg, Fd: AsFd>(
    dir: Fd,
    path: P,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    failed("openat2", &path)?;
    rustix::fs::openat2(dir, path, flags, mode, resolve)
}

pub(crate) fn statx<P: Arg, Fd: AsFd>(
    dir: Fd,
    path: P,
    flags: AtFlags,
    mask: StatxFlags,
) -> Result<Statx, Errno> {
    failed("statx", &path)?;
    rustix::fs::statx(dir, path, flags, mask)
}
