//! Makes an [`Image`] of an exec record or of /proc.

use std::{
    borrow::Cow,
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use collector_common::{FileIdentity, NAME_MAX, PATH_MAX};

use super::{
    args::Args,
    image::Image,
    variables::{Environment, Environments},
};
use crate::{
    clock::boottime_ns,
    decode::{Bytes, Exec},
    fact::{Fact, Origin, Reason},
    procfs::{self, ProcFile, ProcessDir, ReadError},
    redact::Redactor,
    text::Text,
};

/// Most bytes of /proc/PID/cmdline and environ that are read.
const PROC_MAX: usize = 1 << 20;

/// Makes images, removes secrets from arguments and environments, and shares equal environments.
#[derive(Debug)]
pub(super) struct ImageBuilder {
    redactor: Redactor,
    environments: Environments,
}

impl ImageBuilder {
    /// A builder that hides what the redactor hides.
    pub(super) fn new(redactor: Redactor) -> Self {
        Self { redactor, environments: Environments::default() }
    }

    /// The image of an exec, as the kernel side took it. What the record could not carry is read from /proc through `process`,
    /// if that still runs this image.
    pub(super) fn of_exec(
        &mut self,
        exec: &Exec<'_>,
        process: &mut dyn FnMut() -> Result<ProcessDir, ReadError>,
    ) -> (Rc<Image>, Environment) {
        let file = exec.fixed.exe;
        let mut same_image = || {
            let process = process()?;
            let image = process.image()?;
            (identity(&image).inode == file.inode).then_some((process, image)).ok_or(Reason::Exited)
        };
        let executable = path(exec.path, || same_image().map(|(_, image)| image.path));
        let cwd = path(exec.cwd, || Ok(same_image()?.0.cwd()?));
        let args = pieces(exec.args, ProcFile::Cmdline, &mut same_image);
        let environment = pieces(exec.env, ProcFile::Environ, &mut same_image);
        let args = args.map(|bytes| Args::new(&bytes, executable.value(), &self.redactor));
        let environment = environment.map(|bytes| self.environments.variables(&bytes, &self.redactor));
        let image = Image {
            name: executable.value().map(name),
            executable,
            file: Fact::whole(file, Origin::Kernel),
            seen_ns: exec.fixed.header.time_ns,
            script: script(exec.script, cwd.value()),
            args,
            cwd,
        };
        (Rc::new(image), environment)
    }

    /// The image of a running process, from /proc.
    pub(super) fn of_running(&mut self, process: &ProcessDir) -> (Rc<Image>, Environment) {
        let file = process.image().map_err(Reason::from);
        let executable =
            Fact::from_proc(file.as_ref().map(|file| Text::new(&file.path)).map_err(|&reason| reason));
        let args = Fact::from_proc(bytes(process, ProcFile::Cmdline));
        let environment = Fact::from_proc(bytes(process, ProcFile::Environ));
        let image = Image {
            file: Fact::from_proc(file.as_ref().map(identity).map_err(|&reason| reason)),
            seen_ns: boottime_ns(),
            script: Fact::NotApplicable,
            args: args.map(|bytes| Args::new(&bytes, executable.value(), &self.redactor)),
            cwd: Fact::from_proc(process.cwd().map(|path| Text::new(&path)).map_err(Reason::from)),
            name: executable.value().map(name),
            executable,
        };
        (Rc::new(image), environment.map(|bytes| self.environments.variables(&bytes, &self.redactor)))
    }
}

/// The path in the record, or that of `from_proc`, which must end as the part in the record does: the process may have
/// another directory by now.
fn path(taken: Bytes<'_>, from_proc: impl FnOnce() -> Result<Vec<u8>, Reason>) -> Fact<Text> {
    if taken.is_whole() {
        return Fact::whole(Text::new(taken.bytes), Origin::Kernel);
    }
    // A path that exceeds the kernel side's room exceeds a page of /proc too.
    let too_long = taken.bytes.len() + NAME_MAX + 1 >= PATH_MAX;
    match from_proc() {
        Ok(path) if path.ends_with(taken.bytes) => Fact::whole(Text::new(&path), Origin::Proc),
        Ok(_) | Err(Reason::Exited) if !too_long => Fact::Missing(Reason::Exited),
        Err(reason) if !too_long => Fact::Missing(reason),
        Ok(_) | Err(_) => Fact::Missing(Reason::TooLarge),
    }
}

/// The bytes in the record or, if the record could not carry all, those of /proc: only if they begin with what the kernel
/// side took, since a process may overwrite its own.
fn pieces<'t>(
    taken: Bytes<'t>,
    file: ProcFile,
    same_image: &mut dyn FnMut() -> Result<(ProcessDir, procfs::RunningImage), Reason>,
) -> Fact<Cow<'t, [u8]>> {
    if taken.is_whole() {
        return Fact::whole(taken.bytes.into(), Origin::Kernel);
    }
    let whole = same_image().and_then(|(process, _)| bytes(&process, file));
    match whole {
        Ok(whole) if whole.starts_with(taken.bytes) && u64::try_from(whole.len()).ok() == taken.full => {
            Fact::whole(whole.into(), Origin::Proc)
        }
        Err(reason) if taken.bytes.is_empty() => Fact::Missing(reason),
        Ok(_) | Err(_) => Fact::Value { value: taken.bytes.into(), origin: Origin::Kernel, full: taken.full },
    }
}

fn bytes(process: &ProcessDir, file: ProcFile) -> Result<Vec<u8>, Reason> {
    let mut buffer = Vec::new();
    let read = process.read_into(file, &mut buffer, PROC_MAX)?;
    if read.truncated { Err(Reason::TooLarge) } else { Ok(buffer) }
}

/// The last part of a path.
fn name(path: &Text) -> Arc<str> {
    path.shown().rsplit('/').next().unwrap_or_default().into()
}

/// The path given to execve(2), made absolute with the working directory. The rest stays as given: a `..` behind a symbolic
/// link does not lead where it seems to.
fn script(given: Bytes<'_>, cwd: Option<&Text>) -> Fact<Text> {
    if given.bytes.is_empty() && given.is_whole() {
        return Fact::NotApplicable;
    }
    if !given.is_whole() {
        return Fact::Missing(Reason::TooLarge);
    }
    if given.bytes.starts_with(b"/") {
        return Fact::whole(Text::new(given.bytes), Origin::Kernel);
    }
    let Some(cwd) = cwd else { return Fact::Missing(Reason::Unsupported) };
    let mut absolute = PathBuf::from(Path::new(OsStr::from_bytes(cwd.bytes())));
    let mut leading = true;
    for component in Path::new(OsStr::from_bytes(given.bytes)).components() {
        match component {
            Component::CurDir => {}
            // The working directory is the kernel's own path, without links, so its parent is the path's parent.
            Component::ParentDir if leading => drop(absolute.pop()),
            other => {
                leading = false;
                absolute.push(other);
            }
        }
    }
    Fact::whole(Text::new(absolute.as_os_str().as_bytes()), Origin::Kernel)
}

/// The identity of the image's file in the form that the kernel side sends.
fn identity(image: &procfs::RunningImage) -> FileIdentity {
    let stat = &image.stat;
    FileIdentity {
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        ctime_s: stat.st_ctime,
        ctime_ns: u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
        device: (rustix::fs::major(stat.st_dev) << 20) | rustix::fs::minor(stat.st_dev),
        // The upper half of `st_mode` is empty.
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
    use crate::{fact::Fact, text::Text};

    #[track_caller]
    fn check(given: &str, expected: &str) {
        let bytes = Bytes { bytes: given.as_bytes(), full: Some(given.len().try_into().unwrap()) };
        let found = script(bytes, Some(&Text::new(b"/srv/app")));
        assert_eq!(found.value().map(|text| text.shown().to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn a_relative_script_starts_at_the_working_directory() {
        check("run.sh", "/srv/app/run.sh");
        check("./run.sh", "/srv/app/run.sh");
        check("../run.sh", "/srv/run.sh");
        check("bin/../run.sh", "/srv/app/bin/../run.sh");
    }

    #[test]
    fn an_absolute_script_stays_as_given() {
        check("/opt/./run.sh", "/opt/./run.sh");
    }

    #[test]
    fn a_program_that_is_no_script_has_no_script_path() {
        let none = script(Bytes { bytes: b"", full: Some(0) }, None);
        assert_eq!(none, Fact::NotApplicable);
    }
}
