//! The end of a TCP connect: `inet_sock_set_state` from SYN_SENT to ESTABLISHED, or to CLOSE if it failed.
//!
//! It runs in whatever task the answer interrupts, so the socket's cookie joins it to its connect.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use collector_common::{ConnectResultRecord, Fate, Kind};

use crate::{
    emit,
    kernel::{Address, offset},
    maps::{CONNECTING, backup::Role, connecting},
};

/// `include/net/tcp_states.h`
const TCP_SYN_SENT: i32 = 2;
const TCP_SYN_RECV: i32 = 3;
const TCP_CLOSE: i32 = 7;

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(context: BtfTracePointContext) -> i32 {
    changed(&context, Role::Primary)
}

/// The backup needs no mark: the connects that the primary reported are no longer in [`CONNECTING`].
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state_2(context: BtfTracePointContext) -> i32 {
    changed(&context, Role::Backup)
}

#[inline(always)]
fn changed(context: &BtfTracePointContext, role: Role) -> i32 {
    let (old, new): (i32, i32) = (context.arg(1), context.arg(2));
    // SYN_RECV too: two ends that connect to each other at once go through it, and may go on from there to any state.
    let connecting = old == TCP_SYN_SENT || old == TCP_SYN_RECV;
    if connecting && new != TCP_SYN_RECV {
        reached_end(Address(context.arg(0)), new != TCP_CLOSE, role);
    }
    0
}

#[inline(always)]
fn reached_end(sock: Address, established: bool, role: Role) {
    // Read from the socket: 5.10 refuses `bpf_get_socket_cookie` here. A socket that never asked for its cookie has
    // 0: its connect was not seen.
    let cookie: u64 = sock.read(offset!(sock_cookie));
    if cookie == 0 {
        return;
    }
    let Some(connect) = connecting(cookie) else { return };
    role.count_backup(Kind::ConnectResult);
    emit::seen(Kind::ConnectResult);
    emit::record(Kind::ConnectResult, |record: &mut ConnectResultRecord| {
        record.header = emit::header(Kind::ConnectResult, Fate::Reported, size_of::<ConnectResultRecord>());
        record.task = connect.task;
        record.endpoints = connect.endpoints;
        record.cookie = cookie;
        record.begun_ns = connect.header.time_ns;
        record.error = if established { 0 } else { sock.read::<u32>(offset!(sock_err)) };
        record.established = established as u32;
    });
    // Fails only if another CPU removed it meanwhile, which the socket's lock rules out.
    let _ = CONNECTING.remove(cookie);
}
