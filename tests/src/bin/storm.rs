//! Makes processes that exit at once, as fast as it can, and says of each what it saw itself.
//!
//! | arguments | |
//! |---|---|
//! | `execs HOME FIRST STEP COUNT` | the processes of `collector_tests::workload::storm` |
//! | `connects FIRST STEP COUNT OPEN CLOSED` | processes that connect ten times and exit |
//! | `again COUNT OPEN CLOSED` | the same, all with the pid of the first, never twice in one tick |
//! | `connect NUMBER OPEN CLOSED` | one of these |
//!
//! It says `ready`, waits for a line, makes the processes one after the other, and says for each `process NUMBER PID
//! START_TICKS STATUS EXE`, and `done`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it answers on its standard output, and a panic fails the test that drives it"
)]

use std::{
    cell::Cell,
    env,
    ffi::CString,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    mem::MaybeUninit,
    net::SocketAddr,
    os::fd::AsRawFd,
    process, ptr, thread,
    time::Duration,
};

use collector_tests::{
    truth::{files, procfs::Stat},
    wait::until,
    workload::{
        chosen_pid::fork_as,
        storm::{Kind, Made, Run, USER},
        tiny,
    },
};
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, connect, getsockname, sendto, socket_with, sockopt,
};
use serde_json::Value;

fn main() {
    let args: Vec<String> = env::args().collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[1..] {
        ["execs", home, first, step, count] => {
            let numbers = numbers(first, step, count);
            storm(numbers.map(|number| Made::new(number, home)), |made| spawn(&made));
        }
        ["connects", first, step, count, open, closed] => {
            let spawn = |number| spawn_connect(words[0], number, open, closed, None);
            storm(numbers(first, step, count), spawn);
        }
        ["again", count, open, closed] => {
            let first = Cell::new(None::<libc::pid_t>);
            storm(numbers("0", "1", count), |number| {
                let born = spawn_connect(words[0], number, open, closed, first.get());
                first.set(first.get().or(Some(born.pid)));
                born
            });
        }
        ["connect", number, open, closed] => connect_ten_times(number, open, closed),
        _ => panic!("{args:?}"),
    }
}

/// With the process id of a life that has ended, where one is given.
fn spawn_connect(own: &str, number: u32, open: &str, closed: &str, again: Option<libc::pid_t>) -> Born {
    let argv = [own, "connect", &number.to_string(), open, closed].map(|word| word.as_bytes().to_vec());
    let envp = [format!("NUMBER={number}").into_bytes()];
    let (argv, envp) = (Strings::new(&argv), Strings::new(&envp));
    let pid = match again {
        None => posix_spawn(own, &argv, &envp),
        Some(pid) => spawn_as(pid.unsigned_abs(), own, &argv, &envp),
    };
    Born { number, pid, exe: Value::Null }
}

fn numbers(first: &str, step: &str, count: &str) -> impl Iterator<Item = u32> {
    let number = |text: &str| text.parse::<u32>().unwrap();
    (number(first)..)
        .step_by(usize::try_from(number(step)).unwrap())
        .take(usize::try_from(number(count)).unwrap())
}

/// A process that was made.
struct Born {
    number: u32,
    pid: libc::pid_t,
    /// `process.exe` of an image that only this program could see.
    exe: Value,
}

fn storm<T>(all: impl Iterator<Item = T>, make: impl Fn(T) -> Born) {
    println!("ready");
    io::stdin().read_line(&mut String::new()).unwrap();
    let mut report = String::new();
    for one in all {
        let Born { number, pid, exe } = make(one);
        let start_ticks = start_of_zombie(pid);
        let mut status = 0;
        // SAFETY: waitpid(2) requires room for a status, which is a local.
        let reaped = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!(reaped, pid);
        writeln!(report, "process {number} {pid} {start_ticks} {status} {exe}").unwrap();
    }
    report.push_str("done\n");
    io::stdout().write_all(report.as_bytes()).unwrap();
}

/// Waits until it has ended, and reads its start while the kernel still remembers it.
fn start_of_zombie(pid: libc::pid_t) -> u64 {
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: waitid(2) requires room for a siginfo, which is a local.
    let waited = unsafe {
        libc::waitid(libc::P_PID, pid.unsigned_abs(), info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT)
    };
    assert_eq!(waited, 0, "waitid({pid}): {}", io::Error::last_os_error());
    Stat::read(pid.unsigned_abs()).unwrap().start_ticks
}

fn spawn(made: &Made) -> Born {
    let (argv, envp) = (Strings::new(&made.args), Strings::new(&made.env));
    let mut exe = Value::Null;
    let pid = match (&made.run, made.kind) {
        (Run::Path(path), Kind::NotLeader | Kind::User | Kind::Relative) => {
            let path = CString::new(path.as_str()).unwrap();
            fork_and(|| {
                env::set_current_dir(&made.directory).unwrap();
                if made.kind == Kind::User {
                    become_user();
                }
                if made.kind == Kind::NotLeader {
                    thread::scope(|scope| scope.spawn(|| exec(libc::AT_FDCWD, &path, &argv, &envp)).join())
                        .unwrap();
                }
                exec(libc::AT_FDCWD, &path, &argv, &envp);
            })
        }
        (Run::Path(path), Kind::ByThread) => {
            let path = CString::new(path.as_str()).unwrap();
            let by_thread = || fork_and(|| exec(libc::AT_FDCWD, &path, &argv, &envp));
            thread::scope(|scope| scope.spawn(by_thread).join()).unwrap()
        }
        (Run::Path(path), _) => posix_spawn(path, &argv, &envp),
        (Run::Descriptor(_) | Run::Unlinked(_) | Run::Memfd(_), _) => {
            let image = open(&made.run);
            if !matches!(made.run, Run::Descriptor(_)) {
                exe = files::exe(&image.metadata().unwrap()).into();
            }
            fork_and(|| exec(image.as_raw_fd(), c"", &argv, &envp))
        }
    };
    Born { number: made.number, pid, exe }
}

fn open(run: &Run) -> File {
    match run {
        Run::Path(path) | Run::Descriptor(path) => File::open(path).unwrap(),
        Run::Unlinked(path) => {
            tiny::write(path.as_ref(), &tiny::image(path.rsplit('/').next().unwrap()));
            let image = File::open(path).unwrap();
            fs::remove_file(path).unwrap();
            image
        }
        Run::Memfd(name) => {
            let memfd = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC).unwrap();
            let mut image = File::from(memfd);
            image.write_all(&tiny::image(name)).unwrap();
            image
        }
    }
}

/// The child never comes back: it runs another image, or ends with 254.
fn fork_and(child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: fork(2) requires in a program with threads that the child calls only what is safe in a signal handler. Where this
    // program forks it has one thread that runs, and none that could hold a lock: the other waits for its end.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        child();
        // SAFETY: _exit(2) takes a number.
        unsafe { libc::_exit(254) };
    }
    assert!(pid > 0, "fork: {}", io::Error::last_os_error());
    pid
}

fn become_user() {
    let (uid, gid) = (rustix::process::Uid::from_raw(USER), rustix::process::Gid::from_raw(USER));
    rustix::thread::set_thread_groups(&[]).unwrap();
    rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
    rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
}

fn exec(directory: i32, path: &std::ffi::CStr, argv: &Strings, envp: &Strings) {
    let flags = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    let (argv, envp) = (argv.pointers.as_ptr(), envp.pointers.as_ptr());
    // SAFETY: execveat(2) requires C strings and for arrays of them that end with a null pointer; they are the caller's.
    unsafe { libc::syscall(libc::SYS_execveat, directory, path.as_ptr(), argv, envp, flags) };
}

/// The way that copies no page tables, as `vfork(2)`.
fn posix_spawn(path: &str, argv: &Strings, envp: &Strings) -> libc::pid_t {
    let path = CString::new(path).unwrap();
    let (argv, envp) = (argv.pointers.as_ptr().cast(), envp.pointers.as_ptr().cast());
    let mut pid = 0;
    // SAFETY: posix_spawn(3) requires C strings and for arrays of them that end with a null pointer; they are the
    // caller's.
    let error =
        unsafe { libc::posix_spawn(&raw mut pid, path.as_ptr(), ptr::null(), ptr::null(), argv, envp) };
    assert_eq!(error, 0, "posix_spawn({path:?})");
    pid
}

/// A child with this process id, once it is free. Not in the tick of its last life: of two lives in one tick the CPID is
/// the same.
fn spawn_as(pid: u32, path: &str, argv: &Strings, envp: &Strings) -> libc::pid_t {
    let path = CString::new(path).unwrap();
    thread::sleep(Duration::from_millis(11));
    // SAFETY: `fork_as` requires in a program with threads that the child calls only what is safe in a signal handler; this one
    // has none.
    let child = until("a process id that is free", || match unsafe { fork_as(pid) } {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
        child => Some(child.unwrap()),
    });
    if child == 0 {
        exec(libc::AT_FDCWD, &path, argv, envp);
        // SAFETY: _exit(2) takes a number.
        unsafe { libc::_exit(254) };
    }
    child
}

/// An array as execve(2) takes it.
struct Strings {
    pointers: Vec<*const libc::c_char>,
    _owned: Vec<CString>,
}

// SAFETY: `Sync` requires that another thread may read it; the pointers are into strings that it owns and that never change.
unsafe impl Sync for Strings {}

impl Strings {
    fn new(strings: &[Vec<u8>]) -> Self {
        let owned: Vec<CString> =
            strings.iter().map(|bytes| CString::new(bytes.as_slice()).unwrap()).collect();
        let pointers = owned.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _owned: owned }
    }
}

/// Says `connect NUMBER PROTOCOL COOKIE SOURCE DESTINATION ERRNO` for each, in one write: eight times TCP, half of them
/// refused, then UDP by connect(2) and by a datagram. It ends with its number.
fn connect_ten_times(number: &str, open: &str, closed: &str) {
    let mut report = String::new();
    let [open, closed]: [SocketAddr; 2] = [open, closed].map(|address| address.parse().unwrap());
    for turn in 0..10 {
        let (protocol, destination) = match turn {
            8 => ("udp", open),
            9 => ("datagram", open),
            _ => ("tcp", if turn % 2 == 0 { open } else { closed }),
        };
        let kind = if protocol == "tcp" { SocketType::STREAM } else { SocketType::DGRAM };
        let socket = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None).unwrap();
        let cookie = sockopt::socket_cookie(&socket).unwrap();
        let result = if protocol == "datagram" {
            sendto(&socket, b"?", SendFlags::empty(), &destination).map(drop)
        } else {
            // Nothing is left of it, in TIME_WAIT, or the ports would run out.
            sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
            connect(&socket, &destination)
        };
        let errno = result.err().map_or(0, rustix::io::Errno::raw_os_error);
        let source: SocketAddr = getsockname(&socket).unwrap().try_into().unwrap();
        writeln!(report, "connect {number} {protocol} {cookie} {source} {destination} {errno}").unwrap();
    }
    io::stdout().write_all(report.as_bytes()).unwrap();
    process::exit(number.parse().unwrap());
}
