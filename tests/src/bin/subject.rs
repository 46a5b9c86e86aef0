//! The process under test. It reads commands from its standard input, one a line, and answers each with
//! one line on its standard output; so its arguments and its environment may be anything at all.
//!
//! | command | |
//! |---|---|
//! | `exit CODE` | exit(2) |
//! | `burn MS` | uses CPU time |
//! | `touch MIB` | uses memory |
//! | `exec PATH ARG…` | execve(2) with no environment; answers only where that fails |
//! | `exec-in-thread PATH ARG…` | the same by a thread that is not the leader |
//! | `chdir DIRECTORY` | chdir(2) |
//! | `become USER` | setresuid(2) |
//! | `leader-leaves` | the leader's thread ends, and another one takes the commands that follow |
//! | `thread-exit CODE` | exit(2) of this thread alone |
//! | `connect PROTOCOL ADDRESS WORD…` | see [`Connect`] |
//! | `serve PROTOCOL ADDRESS` | accepts one connection and sends back the bytes that come |
//! | `say TEXT`, `hear` | a byte over the last connection, and one back |

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it answers on its standard output, and a panic fails the test that drives it"
)]

use std::{
    ffi::CString,
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    process, thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept, bind, connect, getsockname,
        listen, recv, send, sendto, socket_with, sockopt::socket_cookie,
    },
    thread::gettid,
    time::{ClockId, clock_gettime},
};

fn main() {
    println!("ready");
    take_commands();
}

fn take_commands() {
    let mut connection = None;
    loop {
        // Not `io::stdin().lines()`: the lock would be kept by a leader that is gone.
        let mut line = String::new();
        if io::stdin().read_line(&mut line).unwrap() == 0 {
            return;
        }
        let line = line.trim_end_matches('\n');
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "exit" => process::exit(rest.parse().unwrap()),
            "burn" => burn(Duration::from_millis(rest.parse().unwrap())),
            "touch" => touch(rest.parse().unwrap()),
            "exec" => println!("failed {}", exec(rest)),
            "exec-in-thread" => {
                let command = rest.to_owned();
                println!("failed {}", thread::spawn(move || exec(&command)).join().unwrap());
            }
            "chdir" => {
                std::env::set_current_dir(rest).unwrap();
                println!("changed");
            }
            "become" => {
                let user = rustix::process::Uid::from_raw(rest.parse().unwrap());
                rustix::thread::set_thread_res_uid(user, user, user).unwrap();
                println!("changed");
            }
            "leader-leaves" => {
                thread::spawn(take_commands);
                exit_thread(0);
            }
            "thread-exit" => exit_thread(rest.parse().unwrap()),
            "connect" => connection = Some(Connect::parse(rest).run_where_asked()),
            "serve" => connection = Some(serve(rest)),
            "say" => assert_eq!(send(connection.as_ref().unwrap(), b"!", SendFlags::empty()), Ok(1)),
            "hear" => hear(connection.as_ref().unwrap()),
            _ => panic!("{line:?} is not a command"),
        }
    }
}

fn burn(time: Duration) {
    let cpu = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    let end = cpu() + time;
    while cpu() < end {}
    println!("burnt");
}

/// The pages must be written to, or they would be one page of zeroes.
fn touch(mib: usize) {
    let memory = vec![1_u8; mib << 20];
    std::hint::black_box(&memory);
    println!("touched");
}

fn exec(command: &str) -> io::Error {
    let args: Vec<CString> = command.split(' ').map(|word| CString::new(word).unwrap()).collect();
    let mut argv: Vec<_> = args.iter().map(|arg| arg.as_ptr()).collect();
    argv.push(std::ptr::null());
    let envp = [std::ptr::null()];
    // SAFETY: execve(2) requires a C string and for arrays of them that end with a null pointer; they are locals that
    // outlive the call.
    unsafe { libc::execve(argv.first().copied().unwrap(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// The process lives on until its last thread has ended.
fn exit_thread(code: libc::c_long) {
    // SAFETY: exit(2) ends this thread alone, with nothing unwound; nothing waits for it.
    unsafe { libc::syscall(libc::SYS_exit, code) };
}

/// `connect tcp|mptcp|udp|datagram ADDRESS [bind=ADDRESS] [nonblocking] [thread] [again]`. `datagram` sends one without
/// connecting, and with `again` a second one to the same address. It answers with what the test compares the stream with.
#[derive(Clone, Debug)]
struct Connect {
    protocol: String,
    destination: SocketAddr,
    bind: Option<SocketAddr>,
    nonblocking: bool,
    in_thread: bool,
    again: bool,
}

impl Connect {
    fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        let mut parsed = Self {
            protocol: words.next().unwrap().to_owned(),
            destination: words.next().unwrap().parse().unwrap(),
            bind: None,
            nonblocking: false,
            in_thread: false,
            again: false,
        };
        for word in words {
            match word.strip_prefix("bind=") {
                Some(address) => parsed.bind = Some(address.parse().unwrap()),
                None if word == "nonblocking" => parsed.nonblocking = true,
                None if word == "thread" => parsed.in_thread = true,
                None if word == "again" => parsed.again = true,
                None => panic!("{word:?} in {text:?}"),
            }
        }
        parsed
    }

    fn run_where_asked(self) -> OwnedFd {
        if self.in_thread {
            return thread::spawn(move || self.run()).join().unwrap();
        }
        self.run()
    }

    fn run(&self) -> OwnedFd {
        let socket = self.socket();
        if let Some(address) = self.bind {
            bind(&socket, &address).unwrap();
        }
        let bound = self.bind.map(|_| local_address(&socket));
        let cookie = socket_cookie(&socket).unwrap();
        let begin = Instant::now();
        let result = self.act(&socket);
        let took = begin.elapsed().as_nanos();
        let errno = result.err().map_or(0, rustix::io::Errno::raw_os_error);
        let local = local_address(&socket);
        let bound = bound.map_or("-".to_owned(), |address| address.to_string());
        let thread = gettid().as_raw_nonzero();
        println!("{errno} {bound} {local} {cookie} {thread} {took}");
        socket
    }

    fn act(&self, socket: &OwnedFd) -> rustix::io::Result<()> {
        if self.protocol == "datagram" {
            sendto(socket, b"?", SendFlags::empty(), &self.destination)?;
            if self.again {
                sendto(socket, b"?", SendFlags::empty(), &self.destination)?;
            }
            return Ok(());
        }
        let result = connect(socket, &self.destination);
        if result == Err(rustix::io::Errno::INPROGRESS) {
            // To the end of it, or nothing could be said of how long it took.
            poll(&mut [PollFd::new(socket, PollFlags::OUT)], None).unwrap();
        }
        result
    }

    fn socket(&self) -> OwnedFd {
        let flags = if self.nonblocking { SocketFlags::NONBLOCK } else { SocketFlags::empty() };
        open(&self.protocol, self.destination, flags | SocketFlags::CLOEXEC)
    }
}

fn open(protocol: &str, address: SocketAddr, flags: SocketFlags) -> OwnedFd {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let (kind, protocol) = match protocol {
        "tcp" => (SocketType::STREAM, None),
        "mptcp" => (SocketType::STREAM, Some(rustix::net::ipproto::MPTCP)),
        "udp" | "datagram" => (SocketType::DGRAM, None),
        _ => panic!("{protocol:?} is not a protocol"),
    };
    socket_with(family, kind, flags, protocol).unwrap()
}

fn local_address(socket: &OwnedFd) -> SocketAddr {
    getsockname(socket).unwrap().try_into().unwrap()
}

/// `PROTOCOL ADDRESS`: answers twice, when it listens and when it has accepted.
fn serve(text: &str) -> OwnedFd {
    let (protocol, address) = text.split_once(' ').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let listener = open(protocol, address, SocketFlags::CLOEXEC);
    bind(&listener, &address).unwrap();
    listen(&listener, 8).unwrap();
    println!("{}", local_address(&listener));
    let connection = accept(&listener).unwrap();
    // A further subflow of an MPTCP connection comes in by the port that listens, so that must go on.
    std::mem::forget(listener);
    println!("accepted");
    connection
}

fn hear(connection: &OwnedFd) {
    let mut byte = [0];
    let (count, _) = recv(connection, &mut byte, RecvFlags::empty()).unwrap();
    println!("heard {count}");
}
