//! Ends for connections: ports that accept, a port that refuses, ports that take datagrams. Loopback only.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    thread,
};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// The family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
    /// IPv4, from a socket of IPv6.
    Mapped,
}

impl Family {
    /// The loopback address, as a socket of this family is given it.
    pub fn loopback(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::LOCALHOST.into(),
            Self::V6 => Ipv6Addr::LOCALHOST.into(),
            Self::Mapped => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        }
    }

    /// The family that the packets have.
    #[must_use]
    pub fn on_the_wire(self) -> Self {
        match self {
            Self::V4 | Self::Mapped => Self::V4,
            Self::V6 => Self::V6,
        }
    }
}

/// A TCP port that accepts, as long as the test runs.
pub fn accepting(family: Family) -> u16 {
    let listener = TcpListener::bind((family.on_the_wire().loopback(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
        }
    });
    port
}

/// A UDP port that takes datagrams, as long as the socket lives.
pub fn receiving(family: Family) -> UdpSocket {
    UdpSocket::bind((family.on_the_wire().loopback(), 0)).unwrap()
}

/// A TCP port that is taken but does not listen: connects to it are refused, and no other process can listen there.
#[derive(Debug)]
pub struct Refusing {
    /// The port.
    pub port: u16,
    _socket: rustix::fd::OwnedFd,
}

impl Refusing {
    /// On loopback.
    ///
    /// # Errors
    ///
    /// What bind(2) said.
    pub fn new(family: Family) -> io::Result<Self> {
        let address = SocketAddr::new(family.on_the_wire().loopback(), 0);
        let domain = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket(domain, SocketType::STREAM, None)?;
        bind(&socket, &address)?;
        let bound: SocketAddr = getsockname(&socket)?.try_into()?;
        Ok(Self { port: bound.port(), _socket: socket })
    }
}
