//! Connections: the two ends, and the result.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use collector_common::{ConnectResultRecord, Endpoints, FAMILY_IPV4, PROTOCOL_TCP, TaskState};

use super::{
    community_id::{End, community_id},
    notes::Notes,
};
use crate::{
    errno::errno_name,
    event::{self, Connection, Direction, Endpoint, Event, Network, NetworkType, Outcome, Transport},
    fact::Reason,
    track::is_kernel,
};

/// Adds the result of a connect, and how long it took.
pub(crate) fn add_outcome(event: &mut Event, result: &ConnectResultRecord) {
    event.event.duration = Some(result.header.time_ns.saturating_sub(result.begun_ns));
    event.event.outcome = Some(if result.established == 0 { Outcome::Failure } else { Outcome::Success });
    // A failure without an errno: the owner gave up and closed the socket.
    event.error = (result.error != 0).then(|| event::Error {
        code: errno_name(result.error).map_or_else(|| format!("errno {}", result.error), str::to_owned),
    });
}

/// Adds the two ends of a connection. `task` opened it.
pub(crate) fn add_ends(event: &mut Event, endpoints: &Endpoints, cookie: u64, task: &TaskState) {
    let source = End { ip: address(endpoints, &endpoints.source), port: endpoints.source_port };
    let destination =
        End { ip: address(endpoints, &endpoints.destination), port: endpoints.destination_port };
    // An unbound socket has zeros here: the kernel chooses the address when it knows the route.
    let bound = (!source.ip.is_unspecified()).then_some(source.ip);
    let port = (source.port != 0).then_some(source.port);
    let mut notes = Notes::new(&mut event.capture);
    if bound.is_none() {
        notes.missing("source.ip", Reason::Unbound);
    }
    if port.is_none() {
        notes.missing("source.port", Reason::Unbound);
    }
    event.source = (bound.is_some() || port.is_some()).then_some(Endpoint { ip: bound, port });
    event.destination = Some(Endpoint { ip: Some(destination.ip), port: Some(destination.port) });
    event.connection = Some(Connection { id: cookie });
    let protocol = endpoints.protocol;
    event.network = Some(Network {
        transport: if protocol == PROTOCOL_TCP { Transport::Tcp } else { Transport::Udp },
        network_type: if destination.ip.is_ipv4() { NetworkType::Ipv4 } else { NetworkType::Ipv6 },
        direction: Direction::Egress,
        community_id: (bound.is_some() && port.is_some())
            .then(|| community_id(source, destination, u8::try_from(protocol).unwrap_or(0))),
        kernel_connection: is_kernel(task).then_some(true),
    });
}

/// An address as it is on the wire: the IPv4 address of an IPv4-mapped one.
fn address(endpoints: &Endpoints, bytes: &[u8; 16]) -> IpAddr {
    if endpoints.family == FAMILY_IPV4 {
        let octets = bytes.first_chunk::<4>().copied().unwrap_or_default();
        return IpAddr::V4(Ipv4Addr::from(octets));
    }
    let source = Ipv6Addr::from(*bytes);
    let mapped = Ipv6Addr::from(endpoints.destination).to_ipv4_mapped().is_some();
    match source.to_ipv4_mapped() {
        Some(source) => IpAddr::V4(source),
        // The unbound source of a socket that sends IPv4 to a mapped address.
        None if mapped && source.is_unspecified() => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        None => IpAddr::V6(source),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use collector_common::{Endpoints, FAMILY_IPV6, PROTOCOL_UDP};

    use super::address;

    fn udp6(destination: &str) -> Endpoints {
        let destination: Ipv6Addr = destination.parse().unwrap();
        Endpoints {
            destination: destination.octets(),
            family: FAMILY_IPV6,
            protocol: PROTOCOL_UDP,
            ..Endpoints::default()
        }
    }

    #[test]
    fn a_mapped_address_becomes_ipv4() {
        let endpoints = udp6("::ffff:127.0.0.1");
        assert_eq!(address(&endpoints, &endpoints.destination), "127.0.0.1".parse::<IpAddr>().unwrap());
        assert!(address(&endpoints, &endpoints.source).is_ipv4());
    }

    #[test]
    fn an_ipv6_address_stays_an_ipv6_address() {
        let endpoints = udp6("::1");
        assert_eq!(address(&endpoints, &endpoints.destination), "::1".parse::<IpAddr>().unwrap());
    }
}
