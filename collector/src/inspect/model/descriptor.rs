//! Open descriptors and the sockets among them.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::Timestamp;

/// `descriptors[]`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Descriptor {
    /// Its number.
    pub fd: u32,
    /// What it refers to.
    pub kind: Kind,
    /// The path, or the kernel's name for what has none.
    pub target: String,
    /// Whether the file has no name any more.
    pub deleted: bool,
    /// `read`, `write`, `read-write` or `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<&'static str>,
    /// `O_*` of open(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<Cow<'static, str>>>,
    /// The offset of the next read or write, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Size of a file, in bytes.
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
    /// Details of a socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<Socket>,
}

/// `descriptors[].socket`
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Socket {
    /// As the kernel names it: `TCP`, `UDPv6`, `UNIX-STREAM`, `NETLINK`, `PACKET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Type of a unix socket: `stream`, `dgram`, `seqpacket`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// `ESTABLISHED`, `LISTEN`, … Absent if the kernel's list does not have the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Cow<'static, str>>,
    /// Its own end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<End>,
    /// The other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<End>,
    /// Bytes to read; of a listening socket, connections to accept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recv_queue: Option<u32>,
    /// Bytes not acknowledged; of a listening socket, the limit of connections to accept.
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
    /// Path of a unix socket, or `@` and its abstract name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Inode number of the other end of a unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// Host name of the address, with `--resolve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// `sockets`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Sockets {
    /// The network namespace in which they were looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_namespace: Option<u32>,
    /// The lists that the kernel gave.
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

/// What a descriptor refers to.
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
    /// An object of the kernel without a file: eventfd, epoll, pidfd, a BPF map or program.
    AnonInode,
    /// The file could not be examined.
    Unknown,
}

impl Kind {
    /// As it is written.
    pub(in crate::inspect) fn name(self) -> &'static str {
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
