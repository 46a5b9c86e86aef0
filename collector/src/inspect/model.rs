//! What is told of one live process: the only types that `collector inspect` writes out.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{self, Capture, Container, Timestamp};

/// Value of [`Inspection::schema`].
pub const SCHEMA: &str = "collector-inspect/1.0";

/// Everything about one process, as it was at one moment or a few after it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Inspection {
    /// When it was looked at.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// `collector-inspect/1.0`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: Cow<'static, str>,
    /// It ended while it was read: what follows is what could be read before.
    pub vanished: bool,
    /// As on the records of the stream.
    pub process: Box<event::Process>,
    /// The container that it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// State, signals, capabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The time that it has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// The memory that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// What it has read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io: Option<Io>,
    /// Its resource limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<Limit>>,
    /// Its threads, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<Vec<Thread>>,
    /// Where in the kernel its main thread is, innermost first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_stack: Option<Vec<String>>,
    /// Its mappings, summed up by file, in the order of addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mappings: Option<Vec<Mapping>>,
    /// Its open descriptors, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Vec<Descriptor>>,
    /// How its sockets were looked up; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<Sockets>,
    /// Its root directory, where it is not `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What is missing and why, what was cut, what is not UTF-8.
    #[serde(skip_serializing_if = "Capture::is_empty", default)]
    pub capture: Capture,
}

/// `status`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Status {
    /// What its main thread does.
    pub state: State,
    /// How many threads it has.
    pub threads: u64,
    /// Permissions that new files do not get, in octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<String>,
    /// The process that traces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracer_pid: Option<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Slots of its table of descriptors.
    pub fd_slots: u32,
    /// Times that its main thread waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voluntary_switches: Option<u64>,
    /// Times that its main thread was made to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub involuntary_switches: Option<u64>,
    /// It cannot gain privileges by an exec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privs: Option<bool>,
    /// `disabled`, `strict` or `filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Cow<'static, str>>,
    /// CPUs that it may run on: `0-3,8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_allowed: Option<String>,
    /// Signals that wait for its real user.
    pub signals_queued: u64,
    /// Most of these.
    pub signals_queued_max: u64,
    /// Its signals, by name.
    pub signals: Signals,
    /// Its capabilities, by name.
    pub capabilities: CapabilitySets,
}

/// `status.signals`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Signals {
    /// For its main thread.
    pub pending: Vec<Cow<'static, str>>,
    /// For any of its threads.
    pub shared_pending: Vec<Cow<'static, str>>,
    /// Not delivered for now.
    pub blocked: Vec<Cow<'static, str>>,
    /// Thrown away.
    pub ignored: Vec<Cow<'static, str>>,
    /// Answered by its own code.
    pub caught: Vec<Cow<'static, str>>,
}

/// `status.capabilities`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CapabilitySets {
    /// Kept over an exec of a file that has them too.
    pub inheritable: Vec<Cow<'static, str>>,
    /// To be had.
    pub permitted: Vec<Cow<'static, str>>,
    /// In force.
    pub effective: Vec<Cow<'static, str>>,
    /// Most that an exec can give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounding: Option<Vec<Cow<'static, str>>>,
    /// Kept over any exec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambient: Option<Vec<Cow<'static, str>>>,
}

/// `cpu`: of all its threads.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cpu {
    /// In user mode, in nanoseconds, to the clock tick of 10 ms.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
    /// In user mode, of the children that it has waited for.
    pub children_user_ns: u64,
    /// In the kernel, of these.
    pub children_system_ns: u64,
    /// Of the scheduler: `stat`, field 18.
    pub priority: i64,
    /// From -20 (served first) to 19.
    pub nice: i64,
    /// The CPU that its main thread ran on last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_cpu: Option<i32>,
    /// Page faults that took no reading.
    pub minor_faults: u64,
    /// Page faults that took reading.
    pub major_faults: u64,
}

/// `memory`, in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Memory {
    /// Address space.
    pub virtual_bytes: u64,
    /// In physical memory. The kernel sums it up loosely: `rollup` is exact.
    pub resident_bytes: u64,
    /// Of that, of files and shared memory.
    pub shared_bytes: u64,
    /// Address space of its code.
    pub text_bytes: u64,
    /// Address space of its data and stack.
    pub data_bytes: u64,
    /// Largest address space so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_virtual_bytes: Option<u64>,
    /// Most physical memory so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_resident_bytes: Option<u64>,
    /// Paged out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_bytes: Option<u64>,
    /// Locked by `mlock(2)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked_bytes: Option<u64>,
    /// Of its page tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_table_bytes: Option<u64>,
    /// The sums over its mappings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollup: Option<Rollup>,
}

/// `memory.rollup`, in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rollup {
    /// In physical memory.
    pub rss_bytes: u64,
    /// The same, with each shared page divided by those that share it.
    pub pss_bytes: u64,
    /// Shared and unchanged.
    pub shared_clean_bytes: u64,
    /// Shared and changed.
    pub shared_dirty_bytes: u64,
    /// Its own, unchanged.
    pub private_clean_bytes: u64,
    /// Its own, changed.
    pub private_dirty_bytes: u64,
    /// Of no file.
    pub anonymous_bytes: u64,
    /// Paged out.
    pub swap_bytes: u64,
    /// Locked.
    pub locked_bytes: u64,
}

/// `io`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Io {
    /// Bytes that read(2) and the like gave.
    pub read_chars: u64,
    /// Bytes that write(2) and the like took.
    pub written_chars: u64,
    /// Calls of read(2) and the like.
    pub read_calls: u64,
    /// Calls of write(2) and the like.
    pub write_calls: u64,
    /// Bytes fetched from storage.
    pub read_bytes: u64,
    /// Bytes that were to go to storage.
    pub written_bytes: u64,
    /// Of these, what a truncation made needless.
    pub cancelled_write_bytes: u64,
}

/// `limits[]`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Limit {
    /// By getrlimit(2): `RLIMIT_NOFILE`.
    pub name: &'static str,
    /// What is enforced; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft: Option<u64>,
    /// What `soft` can be raised to; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard: Option<u64>,
    /// `bytes`, `seconds`, `microseconds`, `files`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
}

/// `threads[]`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Thread {
    /// Thread id.
    pub tid: u32,
    /// Its name.
    pub comm: String,
    /// What it does.
    pub state: State,
    /// CPU time in user mode, in nanoseconds, to the clock tick of 10 ms.
    pub user_ns: u64,
    /// CPU time in the kernel.
    pub system_ns: u64,
}

/// `mappings[]`: all mappings of one file, or of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Mapping {
    /// The file, or `[heap]`, `[stack]`, `[anon]` and the like.
    pub path: String,
    /// The file has lost this name.
    pub deleted: bool,
    /// Address space.
    pub size_bytes: u64,
    /// How many.
    pub mappings: u64,
    /// All that any of them allows: `rwxps`.
    pub permissions: String,
    /// Inode number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
}

/// `descriptors[]`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Descriptor {
    /// Its number.
    pub fd: u32,
    /// What it leads to.
    pub kind: Kind,
    /// Where it leads.
    pub target: String,
    /// The file has no name any more.
    pub deleted: bool,
    /// `read`, `write`, `read-write` or `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<&'static str>,
    /// `O_*` of open(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<Cow<'static, str>>>,
    /// Where the next read or write is, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Last change of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// `major:minor` of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Inode number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// What a socket is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<Socket>,
}

/// `descriptors[].socket`
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Socket {
    /// As the kernel names it: `TCP`, `UDPv6`, `UNIX-STREAM`, `NETLINK`, `PACKET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Of a unix socket: `stream`, `dgram`, `seqpacket`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// `ESTABLISHED`, `LISTEN`, … Absent where the kernel's list does not have the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Cow<'static, str>>,
    /// Its own end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<End>,
    /// The other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<End>,
    /// Bytes to be read; of a listening socket, connections to be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recv_queue: Option<u32>,
    /// Bytes not acknowledged; of a listening socket, most that wait to be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_queue: Option<u32>,
    /// The user that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// One end of a socket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct End {
    /// IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Of a unix socket: its path, or its abstract name behind an `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Of a unix socket: the inode number of the other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// Name of the address, where names were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// `sockets`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Sockets {
    /// The network namespace in which they were looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_namespace: Option<u32>,
    /// The lists that were asked of the kernel.
    pub dumps: Vec<Dump>,
}

/// `sockets.dumps[]`: one list of `sock_diag(7)`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Dump {
    /// `ipv4`, `ipv6`, `unix`.
    pub family: &'static str,
    /// `tcp`, `udp`, `raw`, `unix`.
    pub protocol: &'static str,
    /// Sockets in the list.
    pub sockets: u64,
}

/// What a thread does: `proc_pid_stat(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// `R`
    Running,
    /// `S`: waits, and a signal wakes it.
    Sleeping,
    /// `D`: waits, and nothing else wakes it.
    DiskSleep,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by its tracer.
    TracingStop,
    /// `Z`: ended, and not yet waited for.
    Zombie,
    /// `X`: being reaped.
    Dead,
    /// `I`: a worker of the kernel with nothing to do.
    Idle,
    /// `P`: parked.
    Parked,
    /// A letter that this version does not know.
    Unknown,
}

impl State {
    /// By the letter of `stat` and `status`.
    pub(super) fn of(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::DiskSleep,
            b'T' => Self::Stopped,
            b't' => Self::TracingStop,
            b'Z' => Self::Zombie,
            b'X' | b'x' => Self::Dead,
            b'I' => Self::Idle,
            b'P' => Self::Parked,
            _ => Self::Unknown,
        }
    }

    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::DiskSleep => "disk-sleep",
            Self::Stopped => "stopped",
            Self::TracingStop => "tracing-stop",
            Self::Zombie => "zombie",
            Self::Dead => "dead",
            Self::Idle => "idle",
            Self::Parked => "parked",
            Self::Unknown => "unknown",
        }
    }
}

/// What a descriptor leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the file type of its name, of inode(7)")]
pub enum Kind {
    File,
    Directory,
    CharDevice,
    BlockDevice,
    Fifo,
    Pipe,
    Socket,
    Symlink,
    /// What the kernel made without a file: eventfd, epoll, pidfd, a BPF map or program.
    AnonInode,
    /// The file could not be asked.
    Unknown,
}

impl Kind {
    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::CharDevice => "char-device",
            Self::BlockDevice => "block-device",
            Self::Fifo => "fifo",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Symlink => "symlink",
            Self::AnonInode => "anon-inode",
            Self::Unknown => "unknown",
        }
    }
}
