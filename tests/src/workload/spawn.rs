//! Starting a child with all that execve(2) can be given: any bytes as arguments and environment, an image by path or
//! by descriptor, another user, a cgroup, a network namespace.

use std::{
    ffi::CString,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{ChildStdin, ChildStdout, Command, Stdio},
    ptr,
    sync::Arc,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    chosen_pid::fork_as,
    reap::{Reaped, reap},
};
use crate::{truth::clock::Wall, wait::until};

/// What execve(2) is given as the image.
#[derive(Clone, Debug)]
pub enum Image {
    /// A path, absolute or relative to [`Plan::directory`].
    Path(Vec<u8>),
    /// An open file, for execveat(2) with an empty path.
    Descriptor(Arc<OwnedFd>),
}

/// A child to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The image.
    pub image: Image,
    /// argv.
    pub args: Vec<Vec<u8>>,
    /// envp.
    pub env: Vec<Vec<u8>>,
    /// Working directory.
    pub directory: PathBuf,
    /// User and group to become before the image is run.
    pub user: Option<u32>,
    /// `cgroup.procs` of the cgroup to move into.
    pub cgroup: Option<Arc<File>>,
    /// The network namespace to move into.
    pub network: Option<Arc<File>>,
    /// Whether a core dump is allowed.
    pub core_dump: bool,
    /// The process id that it must have, where the kernel must not choose one.
    pub pid: Option<u32>,
}

impl Plan {
    /// This image with its own path as the only argument, no environment, in `/`.
    pub fn of(image: &str) -> Self {
        Self {
            image: Image::Path(image.into()),
            args: vec![image.into()],
            env: Vec::new(),
            directory: "/".into(),
            user: None,
            cgroup: None,
            network: None,
            core_dump: false,
            pid: None,
        }
    }

    /// Runs it. The image has been replaced when this returns.
    ///
    /// # Errors
    ///
    /// What execve(2) or a step before it said.
    pub fn try_spawn(&self) -> io::Result<Child> {
        // A fork by another test's thread has, until its exec, all files that are being written here.
        until("an image that no process has open for writing", || match self.attempt() {
            Err(busy) if busy.kind() == io::ErrorKind::ExecutableFileBusy => None,
            answer => Some(answer),
        })
    }

    fn attempt(&self) -> io::Result<Child> {
        let step = Step::prepare(self);
        if let Some(pid) = self.pid {
            return step.take_as(pid);
        }
        // Never run by this name: the last step before would-be execvp(3) is an execveat(2) of our own.
        let mut command = Command::new("/proc/self/exe");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        // SAFETY: `pre_exec` requires that the closure does nothing that is unsafe after fork(2) in a program with threads:
        // it makes system calls only, on memory that was prepared before the fork.
        unsafe { command.pre_exec(move || step.take()) };
        let before = Wall::now();
        let mut child = command.spawn()?;
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Ok(Child { pid: child.id(), before, input: Some(input), output, reaped: false })
    }

    /// Runs it.
    pub fn spawn(&self) -> Child {
        self.try_spawn().unwrap_or_else(|error| panic!("cannot run {:?}: {error}", self.image))
    }
}

/// What is done between fork and exec, with everything allocated beforehand.
struct Step {
    path: CString,
    image: Image,
    argv: Strings,
    envp: Strings,
    directory: CString,
    plan: Plan,
}

impl Step {
    fn prepare(plan: &Plan) -> Self {
        let path = match &plan.image {
            Image::Path(path) => CString::new(path.clone()).unwrap(),
            Image::Descriptor(_) => CString::default(),
        };
        Self {
            path,
            image: plan.image.clone(),
            argv: Strings::new(&plan.args),
            envp: Strings::new(&plan.env),
            directory: CString::new(plan.directory.as_os_str().as_encoded_bytes()).unwrap(),
            plan: plan.clone(),
        }
    }

    /// Takes the step in a child with this process id. std's `Command` lets the kernel choose.
    fn take_as(&self, pid: u32) -> io::Result<Child> {
        let [(input, for_child_input), (output, for_child_output), (error, for_child_error)] = {
            let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
            let ((child, parent), (from, to), (failed, fails)) = (pipe()?, pipe()?, pipe()?);
            [(parent, child), (from, to), (failed, fails)]
        };
        let before = Wall::now();
        // SAFETY: `fork_as` requires that the child calls only what is safe in a signal handler: `run_in_child` makes system
        // calls only, on memory that was prepared before the fork.
        if unsafe { fork_as(pid) }? == 0 {
            self.run_in_child(&for_child_input, &for_child_output, &for_child_error);
        }
        drop((for_child_input, for_child_output, for_child_error));
        let mut errno = Vec::new();
        // The end of the pipe is closed by the exec, or after an error was written.
        File::from(error).read_to_end(&mut errno)?;
        if let Ok(errno) = <[u8; 4]>::try_from(errno) {
            reap(pid);
            return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)));
        }
        let output = BufReader::new(ChildStdout::from(output));
        Ok(Child { pid, before, input: Some(input.into()), output, reaped: false })
    }

    /// The child of [`Self::take_as`], which becomes the image or reports why it cannot.
    fn run_in_child(&self, input: &OwnedFd, output: &OwnedFd, error: &OwnedFd) -> ! {
        let connected = rustix::stdio::dup2_stdin(input).and_then(|()| rustix::stdio::dup2_stdout(output));
        let failed = connected.map_err(io::Error::from).and_then(|()| self.take());
        let errno = failed.err().and_then(|error| error.raw_os_error()).unwrap_or(libc::EINVAL);
        let _ = rustix::io::write(error, &errno.to_ne_bytes());
        // SAFETY: _exit(2) takes a number.
        unsafe { libc::_exit(127) }
    }

    /// Returns only when something has failed.
    fn take(&self) -> io::Result<()> {
        if let Some(procs) = &self.plan.cgroup {
            rustix::io::write(procs, b"0")?;
        }
        if let Some(network) = &self.plan.network {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
        }
        let maximum = getrlimit(Resource::Core).maximum;
        let current = if self.plan.core_dump { maximum } else { Some(0) };
        setrlimit(Resource::Core, Rlimit { current, maximum })?;
        // Where the tests run behind `nohup` or a shell's `&`, they ignore these, and so would the child.
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: signal(2) takes two numbers.
            if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        rustix::process::chdir(&self.directory)?;
        if let Some(user) = self.plan.user {
            let (uid, gid) = (rustix::process::Uid::from_raw(user), rustix::process::Gid::from_raw(user));
            rustix::thread::set_thread_groups(&[])?;
            rustix::thread::set_thread_res_gid(gid, gid, gid)?;
            rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        }
        let (directory, flags): (RawFd, _) = match &self.image {
            Image::Path(_) => (libc::AT_FDCWD, 0),
            Image::Descriptor(image) => (image.as_raw_fd(), libc::AT_EMPTY_PATH),
        };
        // SAFETY: execveat(2) requires C strings and for arrays of them that end with a null pointer; `self` owns them all.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                directory,
                self.path.as_ptr(),
                self.argv.pointers.as_ptr(),
                self.envp.pointers.as_ptr(),
                flags,
            )
        };
        Err(io::Error::last_os_error())
    }
}

/// An array as execve(2) takes it.
struct Strings {
    pointers: Vec<*const libc::c_char>,
    _owned: Vec<CString>,
}

// SAFETY: `Send` and `Sync` ask that another thread may use it; the pointers are into strings that it owns and that never
// change.
unsafe impl Send for Strings {}
// SAFETY: as above.
unsafe impl Sync for Strings {}

impl Strings {
    fn new(strings: &[Vec<u8>]) -> Self {
        let owned: Vec<CString> = strings.iter().map(|bytes| CString::new(bytes.clone()).unwrap()).collect();
        let pointers = owned.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _owned: owned }
    }
}

/// A child that runs until a command ends it, or it is killed.
#[derive(Debug)]
pub struct Child {
    /// Its thread-group id.
    pub pid: u32,
    /// The time before it was made.
    pub before: Wall,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    reaped: bool,
}

impl Child {
    /// Writes a command, one line, to its standard input.
    pub fn send(&mut self, command: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{command}\n").as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// The next line of its standard output.
    pub fn answer(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "child {} ended its output with {line:?}", self.pid);
        line.trim_end().to_owned()
    }

    /// Reads its first line, by which it says that it runs.
    ///
    /// # Panics
    ///
    /// When it says anything else.
    pub fn ready(&mut self) {
        assert_eq!(self.answer(), "ready");
    }

    /// Sends it a signal.
    pub fn kill(&self, signal: i32) {
        let pid = libc::pid_t::try_from(self.pid).unwrap();
        // SAFETY: kill(2) takes two numbers; the child has not been waited for, so the pid is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "kill({pid}, {signal})");
    }

    /// Waits until it has ended.
    pub fn reap(mut self) -> Reaped {
        self.reaped = true;
        reap(self.pid)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill(libc::SIGKILL);
            reap(self.pid);
        }
    }
}
