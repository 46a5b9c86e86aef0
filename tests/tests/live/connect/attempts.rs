//! Nine kinds of connection, and what their process did for each.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use collector_tests::{
    truth::clock::Wall,
    workload::listeners::{Family, Refusing, accepting, receiving},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp4,
    Tcp6,
    TcpMapped,
    Refused4,
    Refused6,
    NonBlocking,
    Udp,
    UdpBound,
    Datagram,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Tcp4,
        Self::Tcp6,
        Self::TcpMapped,
        Self::Refused4,
        Self::Refused6,
        Self::NonBlocking,
        Self::Udp,
        Self::UdpBound,
        Self::Datagram,
    ];

    pub(crate) fn is_tcp(self) -> bool {
        !matches!(self, Self::Udp | Self::UdpBound | Self::Datagram)
    }

    /// Those that are not of one family take turns.
    fn family(self, number: usize) -> Family {
        match self {
            Self::Tcp4 | Self::Refused4 => Family::V4,
            Self::Tcp6 | Self::Refused6 => Family::V6,
            Self::TcpMapped => Family::Mapped,
            Self::NonBlocking | Self::Udp | Self::UdpBound | Self::Datagram => {
                [Family::V4, Family::V6, Family::Mapped][number % 3]
            }
        }
    }
}

/// Where connections lead to.
pub(crate) struct Ends {
    accepting: [u16; 2],
    refusing: [Refusing; 2],
    receiving: [UdpSocket; 2],
}

/// What the subject is to do.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(super) kind: Kind,
    /// As the socket is given it: an IPv4-mapped one is of IPv6.
    pub(super) destination: SocketAddr,
    /// As the socket is bound before, if it is.
    pub(super) bind: Option<SocketAddr>,
    pub(super) by_thread: bool,
}

impl Ends {
    pub(crate) fn new() -> Self {
        let both = [Family::V4, Family::V6];
        Self {
            accepting: both.map(accepting),
            refusing: both.map(|family| Refusing::new(family).unwrap()),
            receiving: both.map(receiving),
        }
    }

    pub(crate) fn request(&self, kind: Kind, number: usize) -> Request {
        let family = kind.family(number);
        let index = usize::from(family == Family::V6);
        let port = match kind {
            Kind::Tcp4 | Kind::Tcp6 | Kind::TcpMapped | Kind::NonBlocking => self.accepting[index],
            Kind::Refused4 | Kind::Refused6 => self.refusing[index].port,
            Kind::Udp | Kind::UdpBound | Kind::Datagram => self.receiving[index].local_addr().unwrap().port(),
        };
        // A refused socket forgets the port that it was given at the connect, so it is bound to one before.
        let bound = match kind {
            Kind::Refused4 | Kind::Refused6 | Kind::UdpBound => true,
            Kind::Tcp4 | Kind::Tcp6 | Kind::TcpMapped | Kind::NonBlocking => number % 4 == 1,
            Kind::Udp => false,
            Kind::Datagram => number % 2 == 1,
        };
        Request {
            kind,
            destination: (family.loopback(), port).into(),
            bind: bound.then(|| (family.loopback(), 0).into()),
            by_thread: number % 5 == 3,
        }
    }
}

impl Request {
    pub(crate) fn command(&self) -> String {
        let protocol = match self.kind {
            Kind::Udp | Kind::UdpBound => "udp",
            // The second datagram to the same peer is not a new connection.
            Kind::Datagram => "datagram",
            _ => "tcp",
        };
        let mut command = format!("connect {protocol} {}", self.destination);
        if let Some(address) = self.bind {
            command.push_str(" bind=");
            command.push_str(&address.to_string());
        }
        for (word, wanted) in [
            ("nonblocking", self.kind == Kind::NonBlocking),
            ("again", self.kind == Kind::Datagram),
            ("thread", self.by_thread),
        ] {
            if wanted {
                command.push(' ');
                command.push_str(word);
            }
        }
        command
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.kind, Kind::Refused4 | Kind::Refused6)
    }
}

/// What the subject did, as it reported.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(super) request: Request,
    /// The local end, where it was known before the connect.
    pub(super) bound: Option<SocketAddr>,
    /// The local end afterwards.
    pub(super) local: SocketAddr,
    pub(super) cookie: u64,
    pub(super) thread: u64,
    pub(super) took_ns: u64,
    pub(super) when: (Wall, Wall),
}

impl Attempt {
    pub(crate) fn new(request: Request, answer: &str, when: (Wall, Wall)) -> Self {
        let words: Vec<&str> = answer.split(' ').collect();
        let [errno, bound, local, cookie, thread, took_ns] = words[..] else {
            panic!("the subject answered {answer:?}")
        };
        let expected_errno = match request.kind {
            Kind::Refused4 | Kind::Refused6 => libc_errno::ECONNREFUSED,
            Kind::NonBlocking => libc_errno::EINPROGRESS,
            _ => 0,
        };
        assert_eq!(errno.parse(), Ok(expected_errno), "{request:?}");
        Self {
            request,
            bound: bound.parse().ok(),
            local: local.parse().unwrap(),
            cookie: cookie.parse().unwrap(),
            thread: thread.parse().unwrap(),
            took_ns: took_ns.parse().unwrap(),
            when,
        }
    }

    /// The local end that the stream must have: of TCP always, of UDP where it was bound before.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        let known = if self.request.kind.is_tcp() && !self.request.is_refused() {
            Some(self.local)
        } else {
            self.bound
        };
        known.map(on_the_wire)
    }

    /// A socket that sends its first datagram has got its port just before, but no address.
    pub(super) fn source_port(&self) -> Option<u16> {
        let has_got_one = self.request.kind == Kind::Datagram;
        self.source().map(|source| source.port()).or(has_got_one.then(|| self.local.port()))
    }
}

/// The errnos of this architecture.
mod libc_errno {
    pub(super) const ECONNREFUSED: i32 = rustix::io::Errno::CONNREFUSED.raw_os_error();
    pub(super) const EINPROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
}

/// An IPv4-mapped address is written as IPv4.
pub(super) fn on_the_wire(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(ip) => {
            let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
            SocketAddr::new(ip, address.port())
        }
        IpAddr::V4(_) => address,
    }
}
