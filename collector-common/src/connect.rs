//! Bodies of [`Kind::Connect`](crate::Kind::Connect) and [`Kind::ConnectResult`](crate::Kind::ConnectResult).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{record::RecordHeader, task::TaskState};

/// [`Endpoints::family`] of IPv4: `AF_INET`.
pub const FAMILY_IPV4: u16 = 2;
/// [`Endpoints::family`] of IPv6: `AF_INET6`.
pub const FAMILY_IPV6: u16 = 10;
/// [`Endpoints::protocol`] of TCP: `IPPROTO_TCP`.
pub const PROTOCOL_TCP: u16 = 6;
/// [`Endpoints::protocol`] of UDP: `IPPROTO_UDP`.
pub const PROTOCOL_UDP: u16 = 17;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Endpoints {
    /// Local address in network order; IPv4 in the first four bytes. Zero while none is chosen.
    pub source: [u8; 16],
    /// Remote address, the same way.
    pub destination: [u8; 16],
    /// Local port in host order; 0 while none is chosen.
    pub source_port: u16,
    /// Remote port in host order.
    pub destination_port: u16,
    /// [`FAMILY_IPV4`] or [`FAMILY_IPV6`]. An IPv6 socket that connects to a mapped address has [`FAMILY_IPV6`] and
    /// that address here; the agent reports it as IPv4.
    pub family: u16,
    /// [`PROTOCOL_TCP`] or [`PROTOCOL_UDP`].
    pub protocol: u16,
}

const _: () = assert!(size_of::<Endpoints>() == 40);

/// A connection was begun.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConnectRecord {
    /// The header.
    pub header: RecordHeader,
    /// The task that connects; a kernel thread if the kernel itself does.
    pub task: TaskState,
    /// The ends.
    pub endpoints: Endpoints,
    /// Socket cookie: unique during one boot of the host.
    pub cookie: u64,
}

const _: () = assert!(size_of::<ConnectRecord>() == 192);

/// A TCP connect ended: the connection is open, or it failed.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConnectResultRecord {
    /// The header.
    pub header: RecordHeader,
    /// The task that began it, as it was at that time.
    pub task: TaskState,
    /// The ends.
    pub endpoints: Endpoints,
    /// Socket cookie: the one of the connect.
    pub cookie: u64,
    /// When the connect was begun, nanoseconds on `CLOCK_BOOTTIME`.
    pub begun_ns: u64,
    /// `sk->sk_err`: errno of a failure; 0 with `established` 0 means that its owner gave up.
    pub error: u32,
    /// 1 if the connection is open, else 0.
    pub established: u32,
}

const _: () = assert!(size_of::<ConnectResultRecord>() == 208);
