//! Puts itself into a state that processes are seldom in, and runs a program or waits in it.
//!
//! | arguments | |
//! |---|---|
//! | `deep IMAGE NUMBER LENGTH…` | directories below each other with names of these lengths; runs IMAGE in the last by `./image` |
//! | `title TEXT` | writes over its arguments, as setproctitle(3) does; says `ready` |
//! | `terminal SUBJECT` | leads a session with a terminal of its own |
//! | `login UID SUBJECT` | has logged in, for the audit subsystem |
//! | `racing SUBJECT` | runs it while another thread changes the argument that it is given |
//! | `fs-user ADDRESS` | another user for access to files alone; connects |

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it answers on its standard output, and a panic fails the test that drives it"
)]

use std::{
    env,
    ffi::CString,
    fs, io,
    net::TcpStream,
    os::fd::BorrowedFd,
    os::unix::process::CommandExt,
    process::Command,
    ptr,
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::Duration,
};

use collector_tests::workload::storm::USER;
use rustix::process::{ioctl_tiocsctty, setsid};

fn main() {
    let args: Vec<String> = env::args().collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[1..] {
        ["deep", image, number, ref lengths @ ..] => deep(image, number, lengths),
        ["title", text] => title(text),
        ["terminal", subject] => terminal(subject),
        ["login", uid, subject] => {
            fs::write("/proc/self/loginuid", uid).unwrap();
            run(subject, &["logged in"]);
        }
        ["racing", subject] => racing(subject),
        ["fs-user", address] => fs_user(address),
        _ => panic!("{args:?}"),
    }
}

fn run(program: &str, args: &[&str]) -> ! {
    panic!("{program}: {}", Command::new(program).args(args).env_clear().exec())
}

/// By steps, since no system call takes a path as long as theirs.
fn deep(image: &str, number: &str, lengths: &[&str]) {
    for length in lengths {
        let name = "d".repeat(length.parse().unwrap());
        fs::create_dir(&name).unwrap();
        env::set_current_dir(&name).unwrap();
    }
    fs::hard_link(image, "image").unwrap();
    run("./image", &[number]);
}

fn title(text: &str) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    // proc(5): fields 48 and 49 are the ends of the arguments; the first of these words is field 3.
    let [begin, end] = [fields[48 - 3], fields[49 - 3]].map(|field| field.parse::<usize>().unwrap());
    assert!(text.len() < end - begin, "the title is longer than the arguments");
    let place = ptr::with_exposed_provenance_mut::<u8>(begin);
    // SAFETY: `write_bytes` requires that many writable bytes: the kernel keeps the arguments there, on the stack's
    // pages, for the whole life of the image. What `env::args` gave has been copied.
    unsafe { ptr::write_bytes(place, 0, end - begin) };
    // SAFETY: `copy_nonoverlapping` requires the same of the destination, and the text is shorter and lies elsewhere.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), place, text.len()) };
    println!("ready");
    io::stdin().read_line(&mut String::new()).unwrap();
}

/// The terminal is hung up when the last descriptor of its other end is closed, at the end of the subject.
fn terminal(subject: &str) {
    let (mut controller, mut terminal) = (0, 0);
    let (name, settings, size) = (ptr::null_mut(), ptr::null(), ptr::null());
    // SAFETY: openpty(3) requires room for two descriptors, which are locals; the others may be null.
    let opened = unsafe { libc::openpty(&raw mut controller, &raw mut terminal, name, settings, size) };
    assert_eq!(opened, 0, "openpty: {}", io::Error::last_os_error());
    setsid().unwrap();
    // SAFETY: `borrow_raw` requires a descriptor that stays open: it was opened above and is never closed.
    let terminal = unsafe { BorrowedFd::borrow_raw(terminal) };
    ioctl_tiocsctty(terminal).unwrap();
    run(subject, &["at a terminal"]);
}

/// The kernel copies the argument at some moment of the exec, and a hook at the entry of the system call would see others.
fn racing(subject: &str) {
    static ARGUMENT: [AtomicU8; 4096] = [const { AtomicU8::new(b'a') }; 4096];
    ARGUMENT[4095].store(0, Ordering::Relaxed);
    thread::spawn(|| {
        for letter in (b'a'..=b'z').cycle() {
            ARGUMENT[..4095].iter().for_each(|byte| byte.store(letter, Ordering::Relaxed));
        }
    });
    thread::sleep(Duration::from_millis(1));
    let subject = CString::new(subject).unwrap();
    let argv = [subject.as_ptr(), ARGUMENT.as_ptr().cast(), ptr::null()];
    let envp = [ptr::null()];
    // SAFETY: execve(2) requires C strings and for arrays of them that end with a null pointer; they live for ever or to
    // the end of this function, and the last byte of the one that changes is never but 0.
    unsafe { libc::execve(subject.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    panic!("{subject:?}: {}", io::Error::last_os_error());
}

fn fs_user(address: &str) {
    // SAFETY: setfsuid(2) takes a number.
    unsafe { libc::setfsuid(USER) };
    // SAFETY: setfsgid(2) takes a number.
    unsafe { libc::setfsgid(USER) };
    TcpStream::connect(address).unwrap();
}
