//! The sockets among the descriptors: looked up by inode in the lists of the process's own network namespace.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsFd as _, OwnedFd},
    thread,
};

use netlink_packet_sock_diag::inet::InetResponse;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    missing::{note_missing, or_missing},
    model::{Dump, End, Inspection, Kind, Socket, Sockets},
    sock_diag::{Found, LISTS, List, Unix, dump},
};
use crate::{
    errno::errno_name,
    fact::Reason,
    procfs::{Namespace, ProcessDir},
};

/// `TCP_*` of `net/tcp_states.h`, by number.
const STATES: [&str; 13] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
    "BOUND_INACTIVE",
];

/// Looks up the sockets, if there are any.
pub(super) fn add(inspection: &mut Inspection, process: &ProcessDir) {
    let descriptors = inspection.descriptors.iter().flatten();
    let sockets = descriptors.filter(|descriptor| descriptor.kind == Kind::Socket);
    let wanted: HashSet<u64> = sockets.filter_map(|descriptor| descriptor.inode).collect();
    if wanted.is_empty() {
        return;
    }
    let number = process.namespace(Namespace::Net).ok();
    let read = process.open_net_namespace();
    let Some(namespace) = or_missing(inspection, "sockets", read) else { return };
    let own = rustix::fs::stat("/proc/thread-self/ns/net").ok().map(|stat| stat.st_ino);
    let elsewhere = own != number.map(u64::from);
    match dump_all(elsewhere.then_some(namespace)) {
        Ok(lists) => fill(inspection, number, lists, &wanted),
        Err(error) => note_missing(&mut inspection.capture, "sockets", reason(&error)),
    }
}

/// All lists. For another namespace, a thread of its own enters it.
fn dump_all(namespace: Option<OwnedFd>) -> io::Result<Vec<(List, io::Result<Found>)>> {
    let lists = || LISTS.map(|list| (list, dump(list))).into_iter().collect();
    let Some(namespace) = namespace else { return Ok(lists()) };
    let inside = thread::Builder::new().spawn(move || -> io::Result<_> {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(lists())
    })?;
    inside.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

fn fill(
    inspection: &mut Inspection,
    net_namespace: Option<u32>,
    lists: Vec<(List, io::Result<Found>)>,
    wanted: &HashSet<u64>,
) {
    let mut dumps = Vec::new();
    let mut described: HashMap<u64, Socket> = HashMap::new();
    for (list, found) in lists {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let field = format!("sockets.{}.{}", list.family, list.protocol);
                let word = crate::event::Reason(reason(&error).to_string().into());
                inspection.capture.missing.insert(field.into(), word);
                continue;
            }
        };
        let sockets = u64::try_from(found.inet.len() + found.unix.len()).unwrap_or(u64::MAX);
        dumps.push(Dump { family: list.family, protocol: list.protocol, sockets });
        let inet = found.inet.iter().filter(|socket| wanted.contains(&socket.header.inode.into()));
        described.extend(inet.map(|socket| (socket.header.inode.into(), of_inet(list, socket))));
        let names: HashMap<u64, &str> =
            found.unix.iter().filter_map(|socket| Some((socket.inode, socket.name.as_deref()?))).collect();
        let unix = found.unix.iter().filter(|socket| wanted.contains(&socket.inode));
        described.extend(unix.map(|socket| (socket.inode, of_unix(socket, &names))));
    }
    for descriptor in inspection.descriptors.iter_mut().flatten() {
        let Some(found) = descriptor.inode.and_then(|inode| described.get(&inode)) else { continue };
        let protocol = descriptor.socket.take().and_then(|named| named.protocol);
        descriptor.socket = Some(Socket { protocol: protocol.or(found.protocol.clone()), ..found.clone() });
    }
    inspection.sockets = Some(Sockets { net_namespace, dumps });
}

fn of_inet(list: List, socket: &InetResponse) -> Socket {
    let header = &socket.header;
    let id = &header.socket_id;
    let end = |address: std::net::IpAddr, port| End {
        address: Some(address.to_string()),
        port: Some(port),
        ..End::default()
    };
    // A socket that is only bound has no other end.
    let connected = id.destination_port != 0 || !id.destination_address.is_unspecified();
    let six = if list.family == "ipv6" { "v6" } else { "" };
    Socket {
        protocol: Some(format!("{}{six}", list.protocol.to_uppercase())),
        kind: None,
        state: Some(state(header.state)),
        local: Some(end(id.source_address, id.source_port)),
        remote: connected.then(|| end(id.destination_address, id.destination_port)),
        recv_queue: Some(header.recv_queue),
        send_queue: Some(header.send_queue),
        uid: Some(header.uid),
    }
}

fn of_unix(socket: &Unix, names: &HashMap<u64, &str>) -> Socket {
    let named = |name: &str| End { path: Some(name.to_owned()), ..End::default() };
    Socket {
        protocol: Some("UNIX".to_owned()),
        kind: match i32::from(socket.kind) {
            libc::SOCK_STREAM => Some("stream"),
            libc::SOCK_DGRAM => Some("dgram"),
            libc::SOCK_SEQPACKET => Some("seqpacket"),
            _ => None,
        },
        state: Some(state(socket.state)),
        local: socket.name.as_deref().map(named),
        remote: socket.peer.filter(|&peer| peer != 0).map(|peer| End {
            inode: Some(peer),
            path: names.get(&peer).map(|&name| name.to_owned()),
            ..End::default()
        }),
        recv_queue: socket.queues.map(|(received, _)| received),
        send_queue: socket.queues.map(|(_, sent)| sent),
        uid: socket.uid,
    }
}

fn state(number: u8) -> Cow<'static, str> {
    let name = usize::from(number).checked_sub(1).and_then(|index| STATES.get(index));
    name.map_or_else(|| number.to_string().into(), |&name| name.into())
}

fn reason(error: &io::Error) -> Reason {
    let errno = error.raw_os_error();
    match errno {
        Some(libc::EPERM | libc::EACCES) => Reason::Denied,
        // The kernel does not have this list, or only in a module that is not loaded.
        Some(libc::ENOENT | libc::EPROTONOSUPPORT | libc::EOPNOTSUPP) => Reason::Unsupported,
        _ => Reason::Io(errno.and_then(|errno| errno_name(errno.unsigned_abs())).unwrap_or("EIO")),
    }
}

#[cfg(test)]
mod tests {
    use super::state;

    #[test]
    fn states_have_the_numbers_of_the_kernel() {
        assert_eq!(state(1), "ESTABLISHED");
        assert_eq!(state(7), "CLOSE");
        assert_eq!(state(10), "LISTEN");
        assert_eq!(state(99), "99");
    }
}
