//! The first process of a guest that `cargo xtask vm` boots: mounts what a Linux has, inserts the modules that it was
//! given, runs the tests one after the other, says how they ended, and turns the machine off.
//!
//! Its orders are files in /guest: `modules`, a path a line; `tests`, a name, a path and arguments a line, separated by tabs; and
//! `environment`, a `NAME=value` a line. What it and the tests say goes to the machine's second terminal; the last line
//! is `init: exit N`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it says what it does on its standard output, and a panic of the first process ends the guest"
)]

use std::{
    collections::BTreeMap,
    ffi::CStr,
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

use rustix::{
    mount::{MountFlags, mount, mount_bind, mount_move},
    process::{Pid, WaitOptions, chroot, wait},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    system::{RebootCommand, finit_module, reboot},
};

/// Of kind, to place, with options.
const MOUNTS: [(&str, &str, Option<&CStr>); 8] = [
    ("proc", "/proc", None),
    ("sysfs", "/sys", None),
    ("devtmpfs", "/dev", None),
    ("devpts", "/dev/pts", None),
    ("tmpfs", "/dev/shm", Some(c"mode=1777")),
    ("tmpfs", "/run", Some(c"mode=755")),
    ("tmpfs", "/tmp", Some(c"mode=1777")),
    ("cgroup2", "/sys/fs/cgroup", None),
];

/// The second terminal: of virtio where the machine has one serial port alone, else of a serial port. Files of serial
/// ports are there whether the machine has the ports or not, and can be opened; that of virtio cannot.
const TERMINALS: [&str; 2] = ["/dev/hvc0", "/dev/ttyS1"];

fn main() -> ExitCode {
    if std::process::id() != 1 {
        println!("this is the first process of a guest; see `cargo xtask vm`");
        return ExitCode::FAILURE;
    }
    leave_first_root();
    mount_all();
    speak_to_second_terminal();
    insert_modules();
    run(Command::new("ip").args(["link", "set", "lo", "up"]), &BTreeMap::new());
    let code = i32::from(!all_pass());
    println!("init: exit {code}");
    rustix::fs::sync();
    reboot(RebootCommand::PowerOff).unwrap();
    ExitCode::SUCCESS
}

/// `pivot_root(2)` does not accept the first root of a kernel; it accepts a bind mount of the same files.
fn leave_first_root() {
    let second = "/second";
    fs::create_dir(second).unwrap();
    mount_bind("/", second).unwrap();
    std::env::set_current_dir(second).unwrap();
    mount_move(".", "/").unwrap();
    chroot(".").unwrap();
}

fn mount_all() {
    for (kind, place, options) in MOUNTS {
        fs::create_dir_all(place).unwrap();
        // Of a checkout below /tmp the programs are there already, and must not be hidden.
        if kind == "tmpfs" && fs::read_dir(place).unwrap().next().is_some() {
            continue;
        }
        // The kernel may have mounted /dev by itself; a second one is the same again.
        mount(kind, place, kind, MountFlags::empty(), options)
            .unwrap_or_else(|error| panic!("cannot mount {kind} at {place}: {error}"));
    }
    for (link, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        let link = Path::new("/dev").join(link);
        if !link.exists() {
            symlink(target, link).unwrap();
        }
    }
}

fn speak_to_second_terminal() {
    let open = |path: &&str| File::options().write(true).open(path).ok();
    let terminal = TERMINALS.iter().find_map(open).expect("the guest has a second terminal");
    dup2_stdin(File::open("/dev/null").unwrap()).unwrap();
    dup2_stdout(&terminal).unwrap();
    dup2_stderr(&terminal).unwrap();
}

fn lines(order: &str) -> Vec<String> {
    let file = Path::new("/guest").join(order);
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
    text.lines().map(str::to_owned).collect()
}

fn insert_modules() {
    for module in lines("modules") {
        finit_module(File::open(&module).unwrap(), c"", 0)
            .unwrap_or_else(|error| panic!("cannot insert {module}: {error}"));
    }
}

/// Runs each test, whatever becomes of the others.
fn all_pass() -> bool {
    let environment: BTreeMap<String, String> = lines("environment")
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let tests = lines("tests");
    let failed: Vec<&String> = tests
        .iter()
        .filter(|test| {
            let begin = Instant::now();
            let mut words = test.split('\t');
            let (name, program) = (words.next().unwrap(), words.next().unwrap());
            println!("init: running {name}");
            let passed = run(Command::new(program).args(words), &environment);
            println!(
                "init: {name}: {} after {:?}",
                if passed { "passed" } else { "FAILED" },
                begin.elapsed()
            );
            !passed
        })
        .collect();
    println!("init: {} of {} passed", tests.len() - failed.len(), tests.len());
    failed.is_empty() && !tests.is_empty()
}

/// Runs a program to its end, and meanwhile waits for the orphans that come to the first process, as any init does:
/// what tests see of processes whose parent is gone depends on it.
#[expect(clippy::zombie_processes, reason = "the first process waits for whatever ends")]
fn run(command: &mut Command, environment: &BTreeMap<String, String>) -> bool {
    let child = command
        .env_clear()
        .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"), ("CI", "true")])
        .envs(environment)
        .current_dir("/")
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let child = Pid::from_child(&child);
    loop {
        let (pid, status) = wait(WaitOptions::empty()).unwrap().unwrap();
        if pid == child {
            return status.exit_status() == Some(0);
        }
    }
}
