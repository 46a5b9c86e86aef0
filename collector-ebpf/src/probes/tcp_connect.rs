//! The begin of a TCP connection: `sock_ops` at `BPF_SOCK_OPS_TCP_CONNECT_CB`, just before the SYN.
//!
//! The local port is chosen by then, and the current task is the one that connects, also if that is a kernel thread.

use aya_ebpf::{bindings::BPF_SOCK_OPS_TCP_CONNECT_CB, macros::sock_ops, programs::SockOpsContext};
use collector_common::{ConnectRecord, Endpoints, FAMILY_IPV4, FAMILY_IPV6, Fate, Kind, Loss, PROTOCOL_TCP};

use crate::{
    emit, filter,
    kernel::{
        context::{field, socket_cookie},
        task,
    },
    maps::remember,
};

/// Always returns 1 and leaves `reply` alone: it observes and decides nothing.
#[sock_ops]
fn tcp_connect(context: SockOpsContext) -> u32 {
    if context.op() == BPF_SOCK_OPS_TCP_CONNECT_CB {
        emit::seen(Kind::Connect);
        let fate = filter::connect(task::current());
        if fate != Fate::Reported {
            // Not remembered either, so its result makes no event.
            emit::connect_filtered(fate);
            return 1;
        }
        emit::record(Kind::Connect, |record: &mut ConnectRecord| {
            record.header = emit::header(Kind::Connect, fate, size_of::<ConnectRecord>());
            task::state(task::current(), &mut record.task);
            endpoints(&context, &mut record.endpoints);
            let cookie = socket_cookie(&context);
            record.cookie = cookie;
            // Before the SYN leaves, so that the result finds it. The map is full only while that many connects are
            // open at once.
            if !remember(cookie, record) {
                emit::seen(Kind::ConnectResult);
                emit::lost(Kind::ConnectResult, Loss::TableFull);
            }
        });
    }
    1
}

#[inline(always)]
fn endpoints(context: &SockOpsContext, endpoints: &mut Endpoints) {
    let ops = context.ops;
    let remote = [
        field!(ops, remote_ip6[0]),
        field!(ops, remote_ip6[1]),
        field!(ops, remote_ip6[2]),
        field!(ops, remote_ip6[3]),
    ];
    // ::ffff:0:0/96 on an IPv6 socket is IPv4 on the wire; its IPv4 fields are set as well.
    let mapped = remote[0] == 0 && remote[1] == 0 && remote[2] == u32::from_be(0xffff);
    if context.family() == u32::from(FAMILY_IPV6) && !mapped {
        let local = [
            field!(ops, local_ip6[0]),
            field!(ops, local_ip6[1]),
            field!(ops, local_ip6[2]),
            field!(ops, local_ip6[3]),
        ];
        endpoints.family = FAMILY_IPV6;
        endpoints.source = zerocopy::transmute!(local);
        endpoints.destination = zerocopy::transmute!(remote);
    } else {
        endpoints.family = FAMILY_IPV4;
        endpoints.source = zerocopy::transmute!([field!(ops, local_ip4), 0, 0, 0]);
        endpoints.destination = zerocopy::transmute!([field!(ops, remote_ip4), 0, 0, 0]);
    }
    endpoints.source_port = context.local_port() as u16;
    // Network order in the upper half.
    endpoints.destination_port = u32::from_be(context.remote_port()) as u16;
    endpoints.protocol = PROTOCOL_TCP;
}
