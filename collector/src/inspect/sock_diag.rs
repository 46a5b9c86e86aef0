//! `sock_diag(7)`: the sockets of the calling thread's network namespace, one dump for each family and protocol.

use std::{ffi::OsString, io, os::unix::ffi::OsStrExt as _};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags},
    unix::{
        ShowFlags, StateFlags as UnixStates, UnixRequest, UnixResponse,
        nlas::{Nla, UnixDiagName},
    },
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use super::file::lossy;

/// `IPPROTO_RAW`, by which `sock_diag` knows all raw sockets.
const IPPROTO_RAW: u8 = 255;
/// The kernel fills at most 32 KiB at a time.
const ROOM: usize = 64 << 10;
/// `UDIAG_SHOW_UID` and `UNIX_DIAG_UID` of `linux/unix_diag.h`, Linux 5.0; the crate does not have them.
const SHOW_UID: u32 = 0x40;
const UNIX_DIAG_UID: u16 = 7;

/// One list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// `ipv4`, `ipv6`, `unix`.
    pub family: &'static str,
    /// `tcp`, `udp`, `raw`, `unix`.
    pub protocol: &'static str,
    /// `AF_*` and `IPPROTO_*` of the request; `None` for unix sockets.
    inet: Option<(u8, u8)>,
}

/// All lists.
pub(super) const LISTS: [List; 7] = [
    List { family: "ipv4", protocol: "tcp", inet: Some((AF_INET, IPPROTO_TCP)) },
    List { family: "ipv6", protocol: "tcp", inet: Some((AF_INET6, IPPROTO_TCP)) },
    List { family: "ipv4", protocol: "udp", inet: Some((AF_INET, IPPROTO_UDP)) },
    List { family: "ipv6", protocol: "udp", inet: Some((AF_INET6, IPPROTO_UDP)) },
    List { family: "ipv4", protocol: "raw", inet: Some((AF_INET, IPPROTO_RAW)) },
    List { family: "ipv6", protocol: "raw", inet: Some((AF_INET6, IPPROTO_RAW)) },
    List { family: "unix", protocol: "unix", inet: None },
];

/// A unix socket.
#[derive(Clone, Debug, Default)]
pub(super) struct Unix {
    pub inode: u64,
    pub kind: u8,
    pub state: u8,
    /// Its path, or `@` and its abstract name.
    pub name: Option<String>,
    pub peer: Option<u64>,
    /// Receive and send queue.
    pub queues: Option<(u32, u32)>,
    pub uid: Option<u32>,
}

/// Sockets of one list.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub inet: Vec<InetResponse>,
    pub unix: Vec<Unix>,
}

/// One dump, in the network namespace of the calling thread.
pub(super) fn dump(list: List) -> io::Result<Found> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request(list), 0)?;
    let mut found = Found::default();
    let mut room = Vec::with_capacity(ROOM);
    loop {
        room.clear();
        socket.recv(&mut room, 0)?;
        if room.is_empty() || read_datagram(&room, &mut found)? {
            return Ok(found);
        }
    }
}

fn request(list: List) -> Vec<u8> {
    let message = match list.inet {
        Some((family, protocol)) => SockDiagMessage::InetRequest(InetRequest {
            family,
            protocol,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id: if family == AF_INET6 { SocketId::new_v6() } else { SocketId::new_v4() },
        }),
        None => SockDiagMessage::UnixRequest(UnixRequest {
            // A socket that is not connected is closed, for which the crate has no flag.
            state_flags: UnixStates::from_bits_retain(u32::MAX),
            inode: 0,
            show_flags: ShowFlags::from_bits_retain(
                (ShowFlags::NAME | ShowFlags::PEER | ShowFlags::RQLEN).bits() | SHOW_UID,
            ),
            cookie: [0xff; 8],
        }),
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut packet = NetlinkMessage::new(header, message.into());
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    bytes
}

/// Reads the messages of one datagram; `true` for the last one.
fn read_datagram(mut bytes: &[u8], found: &mut Found) -> io::Result<bool> {
    /// `struct nlmsghdr`, whose first field is the length of the message.
    const HEADER: usize = 16;
    while let Some((len, _)) = bytes.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_ne_bytes(*len)).unwrap_or(usize::MAX);
        let Some(message) = bytes.get(..len).filter(|_| len >= HEADER) else { break };
        // A message that the crate cannot read leaves its socket without details.
        if let Ok(message) = NetlinkMessage::<SockDiagMessage>::deserialize(message) {
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket)) => {
                    found.inet.push(*socket);
                }
                NetlinkPayload::InnerMessage(SockDiagMessage::UnixResponse(socket)) => {
                    found.unix.push(unix(*socket));
                }
                _ => {}
            }
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn unix(socket: UnixResponse) -> Unix {
    let mut described = Unix {
        inode: socket.header.inode.into(),
        kind: socket.header.kind,
        state: socket.header.state,
        ..Unix::default()
    };
    for attribute in socket.nlas {
        match attribute {
            Nla::Name(name) => described.name = Some(name_of(&name)),
            Nla::Peer(inode) => described.peer = Some(inode.into()),
            Nla::ReceiveQueueLength(received, sent) => described.queues = Some((received, sent)),
            Nla::Other(other) => {
                use netlink_packet_core::Nla as _;
                let mut value = [0; 4];
                if other.kind() == UNIX_DIAG_UID && other.value_len() == value.len() {
                    other.emit_value(&mut value);
                    described.uid = Some(u32::from_ne_bytes(value));
                }
            }
            _ => {}
        }
    }
    described
}

fn name_of(name: &UnixDiagName) -> String {
    match name {
        UnixDiagName::Pathname(path) => lossy(OsString::as_os_str(path).as_bytes()),
        UnixDiagName::Abstract(name) => format!("@{}", lossy(name)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::{LISTS, dump};

    #[test]
    fn a_unix_socket_is_in_its_list_with_its_owner() {
        let (socket, other) = UnixDatagram::pair().unwrap();
        let inode = |socket: &UnixDatagram| rustix::fs::fstat(socket).unwrap().st_ino;
        let found = dump(*LISTS.last().unwrap()).unwrap();
        let listed = found.unix.iter().find(|listed| listed.inode == inode(&socket)).unwrap();
        assert_eq!(listed.peer, Some(inode(&other)));
        assert_eq!(listed.uid, Some(rustix::process::getuid().as_raw()));
    }
}
