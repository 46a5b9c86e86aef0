//! UDP: `cgroup/connect4` and `connect6` for connect(2), `sendmsg4` and `sendmsg6` for the first datagram of an
//! unconnected socket to a peer.
//!
//! All four always return 1: they observe and decide nothing. A connect that fails later, for lack of a route, has
//! been reported all the same.

use aya_ebpf::{
    bindings::{BPF_NOEXIST, bpf_sock_addr},
    macros::cgroup_sock_addr,
    programs::SockAddrContext,
};
use collector_common::{ConnectRecord, Endpoints, FAMILY_IPV4, FAMILY_IPV6, Fate, Kind, PROTOCOL_UDP};

use crate::{
    emit, filter,
    kernel::{
        context::{field, socket_cookie},
        task,
    },
    maps::{UDP_PEERS, UdpPeer},
};

/// Another datagram to the peer came first.
const EEXIST: i32 = -17;

#[cgroup_sock_addr(connect4)]
fn udp_connect4(context: SockAddrContext) -> i32 {
    connect::<FAMILY_IPV4>(&context)
}

#[cgroup_sock_addr(connect6)]
fn udp_connect6(context: SockAddrContext) -> i32 {
    connect::<FAMILY_IPV6>(&context)
}

#[cgroup_sock_addr(sendmsg4)]
fn udp_sendmsg4(context: SockAddrContext) -> i32 {
    sendmsg::<FAMILY_IPV4>(&context)
}

#[cgroup_sock_addr(sendmsg6)]
fn udp_sendmsg6(context: SockAddrContext) -> i32 {
    sendmsg::<FAMILY_IPV6>(&context)
}

#[inline(always)]
fn connect<const FAMILY: u16>(context: &SockAddrContext) -> i32 {
    // `sock_ops` reports TCP, since it knows the local port.
    if field!(context.sock_addr, protocol) == u32::from(PROTOCOL_UDP) {
        begun::<FAMILY>(context);
    }
    1
}

#[inline(always)]
fn sendmsg<const FAMILY: u16>(context: &SockAddrContext) -> i32 {
    let peer = UdpPeer {
        cookie: socket_cookie(context),
        address: destination::<FAMILY>(context.sock_addr),
        port: field!(context.sock_addr, user_port),
        reserved: 0,
    };
    // Looked up first: only a look-up keeps a peer from being evicted.
    let known = UDP_PEERS.get_ptr(peer).is_some();
    if known || UDP_PEERS.insert(peer, 0, u64::from(BPF_NOEXIST)) == Err(EEXIST) {
        emit::folded();
    } else {
        begun::<FAMILY>(context);
    }
    1
}

/// The family is a type parameter, so that code for one family's fields is never part of the other family's programs:
/// the verifier would refuse it there.
#[inline(always)]
fn begun<const FAMILY: u16>(context: &SockAddrContext) {
    emit::seen(Kind::Connect);
    let fate = filter::connect(task::current());
    if fate != Fate::Reported {
        return emit::connect_filtered(fate);
    }
    emit::record(Kind::Connect, |record: &mut ConnectRecord| {
        record.header = emit::header(Kind::Connect, fate, size_of::<ConnectRecord>());
        task::state(task::current(), &mut record.task);
        endpoints::<FAMILY>(context.sock_addr, &mut record.endpoints);
        record.cookie = socket_cookie(context);
    });
}

#[inline(always)]
fn destination<const FAMILY: u16>(address: *const bpf_sock_addr) -> [u32; 4] {
    if FAMILY == FAMILY_IPV4 {
        [field!(address, user_ip4), 0, 0, 0]
    } else {
        [
            field!(address, user_ip6[0]),
            field!(address, user_ip6[1]),
            field!(address, user_ip6[2]),
            field!(address, user_ip6[3]),
        ]
    }
}

/// The source is what the socket is bound to: zero until the kernel has chosen.
#[inline(always)]
fn endpoints<const FAMILY: u16>(address: *const bpf_sock_addr, endpoints: &mut Endpoints) {
    let sock = field!(address, __bindgen_anon_1.sk);
    let source = if FAMILY == FAMILY_IPV4 {
        [field!(sock, src_ip4), 0, 0, 0]
    } else {
        [
            field!(sock, src_ip6[0]),
            field!(sock, src_ip6[1]),
            field!(sock, src_ip6[2]),
            field!(sock, src_ip6[3]),
        ]
    };
    endpoints.source = zerocopy::transmute!(source);
    endpoints.destination = zerocopy::transmute!(destination::<FAMILY>(address));
    endpoints.source_port = field!(sock, src_port) as u16;
    // The lower half, in network order.
    endpoints.destination_port = u16::from_be(field!(address, user_port) as u16);
    endpoints.family = FAMILY;
    endpoints.protocol = PROTOCOL_UDP;
}
