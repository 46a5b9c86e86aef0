//! What a process runs: made once for each exec, shared by all that it forks.

use std::{
    borrow::Cow,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use collector_common::{FileIdentity, NAME_MAX, PATH_MAX};
use rustix::io::Errno;

use super::{args::Args, parts::Parts};
use crate::{
    clock::boottime_ns,
    decode::{Bytes, Exec},
    event::{Shared, Strings},
    known::{Known, Origin, Reason},
    procfs::{self, ProcFile, ProcessDir, ReadError, split_nul},
    redact::Redactor,
    text::Text,
};

/// Most bytes of /proc/PID/cmdline and environ that are read.
const PROC_MAX: usize = 1 << 20;
/// What the path of a file made by `memfd_create(2)` begins with.
const MEMFD: &[u8] = b"/memfd:";

/// What a process runs.
#[derive(Debug)]
pub(super) struct Image {
    /// Path of the file that runs.
    pub executable: Known<Text>,
    /// The last part of it.
    pub name: Option<Arc<str>>,
    /// Identity of that file.
    pub file: Known<FileIdentity>,
    /// When that was told, in nanoseconds since boot: at the exec, or when /proc was asked.
    pub seen_ns: u64,
    /// Path of the script, where the file is an interpreter.
    pub script: Known<Text>,
    /// argv.
    pub args: Known<Args>,
    /// Working directory at the exec.
    pub cwd: Known<Text>,
}

/// The environment, in order. It is on the exec's own record, and the process does not keep it.
pub(super) type Env = Known<Rc<Variables>>;

/// Variables of the environment.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// Each, as it is shown.
    pub(super) shown: Shared<Strings>,
    /// Variables that are shown otherwise than they are: their places and exact bytes.
    pub(super) inexact: Vec<(usize, Box<[u8]>)>,
    /// Places of those whose value was hidden.
    pub(super) redacted: Vec<usize>,
}

impl Image {
    /// Of nothing that could be known.
    pub(super) fn unknown(reason: Reason) -> Self {
        Self {
            executable: Known::Missing(reason),
            name: None,
            file: Known::Missing(reason),
            seen_ns: 0,
            script: Known::None,
            args: Known::Missing(reason),
            cwd: Known::Missing(reason),
        }
    }

    /// Of an exec, as the kernel side took it. What it could not carry is read from /proc through `process`, where that
    /// still runs this image.
    pub(super) fn of_exec(
        exec: &Exec<'_>,
        process: &mut dyn FnMut() -> Result<ProcessDir, ReadError>,
        redactor: &Redactor,
        parts: &mut Parts,
    ) -> (Self, Env) {
        let file = exec.fixed.exe;
        let mut same_image = || {
            let process = process().map_err(reason)?;
            let image = process.image().map_err(reason)?;
            (identity(&image).inode == file.inode).then_some((process, image)).ok_or(Reason::Exited)
        };
        let executable = path(exec.path, || same_image().map(|(_, image)| image.path));
        let cwd = path(exec.cwd, || same_image().and_then(|(process, _)| process.cwd().map_err(reason)));
        let args = pieces(exec.args, ProcFile::Cmdline, &mut same_image);
        let env = pieces(exec.env, ProcFile::Environ, &mut same_image);
        let args = map(args, |bytes| Args::new(bytes, executable.value(), redactor));
        let env = map(env, |bytes| parts.environment(bytes, || variables(bytes, redactor)));
        let script = script(exec.script, cwd.value());
        let seen_ns = exec.fixed.header.time_ns;
        let name = executable.value().map(name);
        (Self { executable, name, file: Known::whole(file, Origin::Kernel), seen_ns, script, args, cwd }, env)
    }

    /// Of a process that ran before the agent, from /proc.
    pub(super) fn of_running(process: &ProcessDir, redactor: &Redactor, parts: &mut Parts) -> (Self, Env) {
        let image = process.image().map_err(reason);
        let executable = proc(image.as_ref().map(|image| Text::new(&image.path)).map_err(|&reason| reason));
        let args = read(process, ProcFile::Cmdline);
        let env = read(process, ProcFile::Environ);
        let image = Self {
            file: proc(image.as_ref().map(identity).map_err(|&reason| reason)),
            seen_ns: boottime_ns(),
            script: Known::None,
            args: map(args, |bytes| Args::new(bytes, executable.value(), redactor)),
            cwd: proc(process.cwd().map(|path| Text::new(&path)).map_err(reason)),
            name: executable.value().map(name),
            executable,
        };
        (image, map(env, |bytes| parts.environment(bytes, || variables(bytes, redactor))))
    }

    /// Whether the file was made by `memfd_create(2)`: it has such a name and never had a link.
    pub(super) fn is_memfd(&self) -> bool {
        let named = self.executable.value().is_some_and(|path| path.bytes().starts_with(MEMFD));
        named && self.file.value().is_some_and(|file| file.links == 0)
    }
}

/// Why a file of /proc did not tell.
pub(crate) fn reason(error: ReadError) -> Reason {
    match error {
        ReadError::Exited { .. } => Reason::Exited,
        ReadError::Denied { .. } => Reason::Denied,
        ReadError::Malformed { .. } => Reason::Unsupported,
        ReadError::Io { source: Errno::NAMETOOLONG, .. } => Reason::TooLarge,
        ReadError::Io { source, .. } => {
            let errno = u32::try_from(source.raw_os_error()).ok().and_then(crate::errno::errno_name);
            Reason::Io(errno.unwrap_or("EIO"))
        }
    }
}

fn proc<T>(answer: Result<T, Reason>) -> Known<T> {
    answer.map_or_else(Known::Missing, |value| Known::whole(value, Origin::Proc))
}

fn map<T, U>(known: Known<T>, change: impl FnOnce(&T) -> U) -> Known<U> {
    match known {
        Known::Value { value, origin, full } => Known::Value { value: change(&value), origin, full },
        Known::Missing(reason) => Known::Missing(reason),
        Known::None => Known::None,
    }
}

/// The path that the record carries, or what `from_proc` has, which must end as the part that the record carries does: the
/// process may have another directory by now.
fn path(taken: Bytes<'_>, from_proc: impl FnOnce() -> Result<Vec<u8>, Reason>) -> Known<Text> {
    if taken.is_whole() {
        return Known::whole(Text::new(taken.bytes), Origin::Kernel);
    }
    // What is longer than the kernel side's room is longer than a page of /proc too.
    let too_long = taken.bytes.len() + NAME_MAX + 1 >= PATH_MAX;
    match from_proc() {
        Ok(path) if path.ends_with(taken.bytes) => Known::whole(Text::new(&path), Origin::Proc),
        Ok(_) | Err(Reason::Exited) if !too_long => Known::Missing(Reason::Exited),
        Err(reason) if !too_long => Known::Missing(reason),
        Ok(_) | Err(_) => Known::Missing(Reason::TooLarge),
    }
}

/// The bytes that the record carries, or all of them from /proc where it could not carry them: only where /proc begins
/// with what the kernel side took, since a process may write over its own.
fn pieces<'t>(
    taken: Bytes<'t>,
    file: ProcFile,
    same_image: &mut dyn FnMut() -> Result<(ProcessDir, procfs::RunningImage), Reason>,
) -> Known<Cow<'t, [u8]>> {
    if taken.is_whole() {
        return Known::whole(taken.bytes.into(), Origin::Kernel);
    }
    let whole = same_image().and_then(|(process, _)| bytes(&process, file));
    match whole {
        Ok(whole) if whole.starts_with(taken.bytes) && u64::try_from(whole.len()).ok() == taken.full => {
            Known::whole(whole.into(), Origin::Proc)
        }
        Err(reason) if taken.bytes.is_empty() => Known::Missing(reason),
        Ok(_) | Err(_) => {
            Known::Value { value: taken.bytes.into(), origin: Origin::Kernel, full: taken.full }
        }
    }
}

fn read(process: &ProcessDir, file: ProcFile) -> Known<Vec<u8>> {
    proc(bytes(process, file))
}

fn bytes(process: &ProcessDir, file: ProcFile) -> Result<Vec<u8>, Reason> {
    let mut buffer = Vec::new();
    let read = process.read_into(file, &mut buffer, PROC_MAX).map_err(reason)?;
    if read.truncated { Err(Reason::TooLarge) } else { Ok(buffer) }
}

fn variables(bytes: &[u8], redactor: &Redactor) -> Variables {
    let (mut shown, mut inexact, mut redacted) = (String::with_capacity(bytes.len()), Vec::new(), Vec::new());
    for (place, variable) in split_nul(bytes).enumerate() {
        let (kept, hidden) = redactor.variable(variable);
        let text = String::from_utf8_lossy(&kept);
        inexact.extend((text.as_bytes() != &*kept).then(|| (place, (&*kept).into())));
        redacted.extend(hidden.then_some(place));
        shown.extend([&text, "\0"]);
    }
    Variables { shown: Strings::new(&shown).into(), inexact, redacted }
}

/// The last part of a path.
fn name(path: &Text) -> Arc<str> {
    path.shown().rsplit('/').next().unwrap_or_default().into()
}

/// What was given to execve(2), made absolute with the working directory. The rest stays as it was given: a `..` behind
/// a symbolic link is not what it seems.
fn script(given: Bytes<'_>, cwd: Option<&Text>) -> Known<Text> {
    if given.bytes.is_empty() && given.is_whole() {
        return Known::None;
    }
    if !given.is_whole() {
        return Known::Missing(Reason::TooLarge);
    }
    if given.bytes.starts_with(b"/") {
        return Known::whole(Text::new(given.bytes), Origin::Kernel);
    }
    let Some(cwd) = cwd else { return Known::Missing(Reason::Unsupported) };
    let mut absolute = PathBuf::from(Path::new(std::ffi::OsStr::from_bytes(cwd.bytes())));
    let mut leading = true;
    for component in Path::new(std::ffi::OsStr::from_bytes(given.bytes)).components() {
        match component {
            Component::CurDir => {}
            // The working directory is the kernel's own path, without links: its parent is the path's parent.
            Component::ParentDir if leading => drop(absolute.pop()),
            other => {
                leading = false;
                absolute.push(other);
            }
        }
    }
    Known::whole(Text::new(absolute.as_os_str().as_bytes()), Origin::Kernel)
}

/// The identity of the image's file as the kernel side would tell it.
fn identity(image: &procfs::RunningImage) -> FileIdentity {
    let stat = &image.stat;
    FileIdentity {
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        ctime_s: stat.st_ctime,
        ctime_ns: u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
        device: (rustix::fs::major(stat.st_dev) << 20) | rustix::fs::minor(stat.st_dev),
        // The upper half of `st_mode` has nothing.
        mode: u16::try_from(stat.st_mode).unwrap_or(0),
        flags: if image.foreign { FileIdentity::FOREIGN | FileIdentity::REMOTE } else { 0 },
        uid: stat.st_uid,
        generation: 0,
        links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, script};
    use crate::{known::Known, text::Text};

    #[track_caller]
    fn check(given: &str, expected: &str) {
        let bytes = Bytes { bytes: given.as_bytes(), full: Some(given.len().try_into().unwrap()) };
        let found = script(bytes, Some(&Text::new(b"/srv/app")));
        assert_eq!(found.value().map(|text| text.shown().to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn a_relative_script_is_told_from_the_working_directory() {
        check("run.sh", "/srv/app/run.sh");
        check("./run.sh", "/srv/app/run.sh");
        check("../run.sh", "/srv/run.sh");
        check("bin/../run.sh", "/srv/app/bin/../run.sh");
    }

    #[test]
    fn an_absolute_script_stays_as_it_was_given() {
        check("/opt/./run.sh", "/opt/./run.sh");
    }

    #[test]
    fn what_is_no_script_has_none() {
        let none = script(Bytes { bytes: b"", full: Some(0) }, None);
        assert_eq!(none, Known::None);
    }
}
