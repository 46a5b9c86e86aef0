//! The end of a TCP connect: `inet_sock_set_state` from SYN_SENT to ESTABLISHED, or to CLOSE where it failed.
//!
//! It runs in whatever task the answer interrupts, so it is joined to its connect by the socket's cookie.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use collector_common::{ConnectResultRecord, Fate, Kind};

use crate::{
    emit,
    kernel::{Address, offset},
    maps::{CONNECTING, connecting, standby::Turn},
};

/// `include/net/tcp_states.h`
const TCP_SYN_SENT: i32 = 2;
const TCP_SYN_RECV: i32 = 3;
const TCP_CLOSE: i32 = 7;

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(context: BtfTracePointContext) -> i32 {
    changed(&context, Turn::First)
}

/// Stands by for the other, and needs no mark: what that has told is no longer in [`CONNECTING`].
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state_2(context: BtfTracePointContext) -> i32 {
    changed(&context, Turn::Second)
}

#[inline(always)]
fn changed(context: &BtfTracePointContext, turn: Turn) -> i32 {
    let (old, new): (i32, i32) = (context.arg(1), context.arg(2));
    // SYN_RECV too: two ends that connect to each other at once go through it, and may go on from there to any state.
    let connecting = old == TCP_SYN_SENT || old == TCP_SYN_RECV;
    if connecting && new != TCP_SYN_RECV {
        finished(Address(context.arg(0)), new != TCP_CLOSE, turn);
    }
    0
}

#[inline(always)]
fn finished(sock: Address, established: bool, turn: Turn) {
    // Read from the socket: `bpf_get_socket_cookie` is refused here on 5.10. A socket that never asked for its cookie
    // has 0: it did not begin a connect that we saw.
    let cookie: u64 = sock.read(offset!(sock_cookie));
    if cookie == 0 {
        return;
    }
    let Some(connect) = connecting(cookie) else { return };
    turn.stands_in(Kind::ConnectResult);
    emit::seen(Kind::ConnectResult);
    emit::record(Kind::ConnectResult, |record: &mut ConnectResultRecord| {
        record.header = emit::header(Kind::ConnectResult, Fate::Told, size_of::<ConnectResultRecord>());
        record.task = connect.task;
        record.endpoints = connect.endpoints;
        record.cookie = cookie;
        record.begun_ns = connect.header.time_ns;
        record.error = if established { 0 } else { sock.read::<u32>(offset!(sock_err)) };
        record.established = established as u32;
    });
    // Gone already only where another CPU was as fast, which the socket's lock rules out.
    let _ = CONNECTING.remove(cookie);
}
