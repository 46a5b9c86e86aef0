//! Makes processes whose parents, pids, roots and users are not what they seem. Where it makes one that a test must
//! know, it says `pid PID`; what runs in the end is the subject or the tiny image.
//!
//! | arguments | |
//! |---|---|
//! | `chain DEPTH SUBJECT` | parents below each other, which all stay |
//! | `orphans DEPTH SUBJECT` | each ends before its child goes on |
//! | `reaper DEPTH SUBJECT` | the same, below a subreaper |
//! | `clone-parent` | a process that is its cloner's sibling; it ends with 33 |
//! | `root HOW DIRECTORY TINY NUMBER` | `chroot`, `tmpfs` (mounted on the directory) or `pivot`: another mount namespace |
//! | `other-user ADDRESS` | a fork that becomes another user and connects |
//! | `threads` | four threads that use time and memory; one that is not the leader ends all with 9 |
//! | `inside COUNT TINY` | lives of one pid in a PID namespace: each with its number |

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it answers on its standard output, and a panic fails the test that drives it"
)]

use std::{
    env,
    ffi::CString,
    fs, hint,
    io::{self, Write},
    net::TcpStream,
    os::unix::process::{CommandExt, parent_id},
    path::Path,
    process::{Command, exit, id},
    ptr, thread,
    time::Duration,
};

use collector_tests::workload::storm::USER;
use rustix::{
    process::{chdir, chroot, pivot_root, set_child_subreaper},
    thread::{UnshareFlags, unshare_unsafe},
    time::{ClockId, clock_gettime},
};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["chain", depth, subject] => chain(depth.parse().unwrap(), subject),
        ["orphans", depth, subject] => orphans(depth.parse().unwrap(), subject),
        ["reaper", depth, subject] => {
            set_child_subreaper(Some(rustix::process::getpid())).unwrap();
            if fork() == 0 {
                return orphans(depth.parse().unwrap(), subject);
            }
            reap_all();
        }
        ["clone-parent"] => clone_parent(),
        ["root", how, directory, tiny, number] => another_root(how, directory, tiny, number),
        ["other-user", address] => other_user(address),
        ["threads"] => threads(),
        ["inside", count, tiny] => inside(count.parse().unwrap(), tiny),
        _ => panic!("{args:?}"),
    }
}

/// 0 in the child. This program has no threads where it forks.
fn fork() -> libc::pid_t {
    // SAFETY: fork(2) requires in a program with threads that the child calls only what is safe in a signal handler; this
    // one has none yet.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
    pid
}

fn reap_all() {
    // SAFETY: waitpid(2) may be given no room for a status.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0 {}
}

fn say_pid(pid: u32) {
    println!("pid {pid}");
    io::stdout().flush().unwrap();
}

fn run(program: &str, args: &[&str]) -> ! {
    panic!("{program}: {}", Command::new(program).args(args).env_clear().exec())
}

fn chain(depth: u32, subject: &str) {
    for _ in 0..depth {
        if fork() != 0 {
            return reap_all();
        }
    }
    say_pid(id());
    run(subject, &["below"]);
}

fn orphans(depth: u32, subject: &str) {
    for _ in 0..depth {
        let parent = id();
        if fork() != 0 {
            return;
        }
        while parent_id() == parent {
            thread::yield_now();
        }
    }
    say_pid(id());
    run(subject, &["orphan"]);
}

fn clone_parent() {
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    let none: libc::c_long = 0;
    // SAFETY: clone(2) without a stack is as fork(2), and this program has no threads.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
    if pid == 0 {
        exit(33);
    }
    say_pid(pid.try_into().unwrap());
    io::stdin().read_line(&mut String::new()).unwrap();
}

fn another_root(how: &str, directory: &str, tiny: &str, number: &str) {
    // SAFETY: unshare(2) of the mount namespace changes nothing that Rust relies on; no descriptor is shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
    mount("none", "/", libc::MS_PRIVATE | libc::MS_REC);
    let image = fs::read(tiny).unwrap();
    if how != "chroot" {
        mount("tmpfs", directory, 0);
    }
    collector_tests::workload::tiny::write(&Path::new(directory).join("tiny"), &image);
    match how {
        "tmpfs" => run(&format!("{directory}/tiny"), &[number]),
        "chroot" => chroot(directory).unwrap(),
        "pivot" => {
            chdir(directory).unwrap();
            pivot_root(".", ".").unwrap();
            // SAFETY: umount2(2) requires a C string, which is a constant.
            assert_eq!(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) }, 0);
        }
        _ => panic!("{how:?} is not a way to another root"),
    }
    chdir("/").unwrap();
    run("/tiny", &[number]);
}

/// Of no device.
fn mount(kind: &str, directory: &str, flags: libc::c_ulong) {
    let [kind, directory] = [kind, directory].map(|text| CString::new(text).unwrap());
    // SAFETY: mount(2) requires C strings, which are locals, and for data, which these kinds go without.
    let done = unsafe { libc::mount(kind.as_ptr(), directory.as_ptr(), kind.as_ptr(), flags, ptr::null()) };
    assert_eq!(done, 0, "mount: {}", io::Error::last_os_error());
}

fn other_user(address: &str) {
    let pid = fork();
    if pid == 0 {
        let (uid, gid) = (rustix::process::Uid::from_raw(USER), rustix::process::Gid::from_raw(USER));
        rustix::thread::set_thread_groups(&[]).unwrap();
        rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        let connected = TcpStream::connect(address).is_ok();
        exit(i32::from(!connected));
    }
    say_pid(pid.unsigned_abs());
    reap_all();
    io::stdin().read_line(&mut String::new()).unwrap();
}

/// 50 ms of CPU time each, however busy the machine is.
fn threads() {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let works: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                hint::black_box(vec![1_u8; 10 << 20]);
                while used() < Duration::from_millis(50) {}
            })
        })
        .collect();
    for work in works {
        work.join().unwrap();
    }
    thread::spawn(|| exit(9)).join().unwrap();
}

/// pid 1 of the namespace makes pid 2 of it again and again, never twice in one tick.
fn inside(count: u32, tiny: &str) {
    // SAFETY: unshare(2) of the PID namespace concerns children only.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID) }.unwrap();
    if fork() != 0 {
        return reap_all();
    }
    let path = CString::new(tiny).unwrap();
    for number in 0..count {
        fs::write("/proc/sys/kernel/ns_last_pid", "1").unwrap();
        let number = CString::new(number.to_string()).unwrap();
        let argv = [path.as_ptr(), number.as_ptr(), ptr::null()];
        let pid = fork();
        if pid == 0 {
            let envp = [number.as_ptr(), ptr::null()];
            // SAFETY: execve(2) requires a C string and for arrays of them that end with a null pointer; they are
            // locals that outlive the call.
            unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
            exit(254);
        }
        assert_eq!(pid, 2, "the pid was to be used again");
        reap_all();
        thread::sleep(Duration::from_millis(11));
    }
}
