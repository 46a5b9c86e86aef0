//! The maps, and the read-only data that the loader fills in.

#![expect(unsafe_code, reason = "map values are raw pointers")]

pub mod backup;
pub mod counts;
pub mod filters;
pub mod walk;

use aya_ebpf::{
    Global,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use collector_common::{
    ARGS_MAX, CONNECTING_MAX, ConnectRecord, Counters, ExecRecord, Offsets, RING_BYTES, UDP_PEERS_MAX,
};

use self::filters::PathKey;

/// The one way to the agent, in one order for all CPUs. The loader may choose another size.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// Events seen and lost, by CPU.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Where execs are built. A plain array indexed by CPU, since values of per-CPU maps are limited to 32 KiB. The
/// loader makes one entry for each possible CPU, and a second one for a backup program. Only one program uses an
/// entry, and a tracing program does not nest on its CPU, so an entry has one writer at a time.
#[map]
pub static EXECS: Array<ExecScratch> = Array::with_max_entries(1, 0);

/// TCP connects whose end has not been seen, by socket cookie.
#[map]
pub static CONNECTING: HashMap<u64, ConnectRecord> = HashMap::with_max_entries(CONNECTING_MAX, 0);

/// Peers that an unconnected UDP socket has sent to. Each of them makes one event.
#[map]
pub static UDP_PEERS: LruHashMap<UdpPeer, u64> = LruHashMap::with_max_entries(UDP_PEERS_MAX, 0);

/// Offsets in the running kernel's structures: see [`Offsets`].
#[unsafe(no_mangle)]
pub static OFFSETS: Global<Offsets> = Global::new(Offsets::NONE);

/// The entry for an exec of a program on this CPU; `None` where the loader made none for this place.
#[inline(always)]
pub fn exec_scratch(place: u32) -> Option<&'static mut ExecScratch> {
    let scratch = EXECS.get_ptr_mut(place)?;
    // SAFETY: the map's values are `ExecScratch`, made of integers and bytes that the kernel zeroes at the start. No
    // other reference to this value exists: only one program requests it, once, and it does not nest on its CPU.
    Some(unsafe { &mut *scratch })
}

/// The connect that was begun on the socket with this cookie.
#[inline(always)]
pub fn connecting(cookie: u64) -> Option<&'static ConnectRecord> {
    // SAFETY: only one hook removes an entry, after its last use, for this socket and under the socket's lock. So the
    // entry is neither removed nor reused while it is read.
    unsafe { CONNECTING.get(cookie) }
}

/// The first value of an entry of [`CONNECTING`].
static BLANK: ConnectRecord = zerocopy::transmute!([0u8; size_of::<ConnectRecord>()]);

/// Puts a connect into [`CONNECTING`]; `false` if it is full. Inserts a blank entry first and writes it in place:
/// 5.10 accepts no value from a reserved record, and the stack has no room for a copy.
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "by value, the record would be copied to the stack"
)]
#[inline(always)]
pub fn remember(cookie: u64, connect: &ConnectRecord) -> bool {
    if CONNECTING.insert(cookie, &BLANK, 0).is_err() {
        return false;
    }
    let Some(entry) = CONNECTING.get_ptr_mut(cookie) else { return false };
    // SAFETY: this call made the entry, for a socket that is locked and has not sent its SYN. So no other program reads,
    // writes or removes it.
    unsafe { *entry = *connect };
    true
}

/// Key of [`UDP_PEERS`].
#[derive(Clone, Copy)]
#[repr(C)]
pub struct UdpPeer {
    /// The socket.
    pub cookie: u64,
    /// Remote address in network order.
    pub address: [u32; 4],
    /// Remote port in network order.
    pub port: u32,
    /// Zero: all bytes of a key are compared.
    pub reserved: u32,
}

/// Bytes behind the fixed part of an exec: the highest place where a piece may begin, plus the longest piece.
pub const PIECES_LEN: usize = PIECES_BEGIN_MAX + ARGS_MAX;
/// Just over the highest place where a piece begins (behind three paths and the arguments). A power of two, so that a
/// mask satisfies the verifier.
pub const PIECES_BEGIN_MAX: usize = 256 << 10;

/// Where one exec is built.
#[repr(C)]
pub struct ExecScratch {
    /// The fixed part. The pieces follow it directly, as in the record.
    pub record: ExecRecord,
    /// The pieces, one behind the other.
    pub pieces: [u8; PIECES_LEN],
    /// Bytes of `pieces` in use. 64 bits, so that a check of it and its use are one register to the verifier.
    pub used: u64,
    /// The beginning of the image's path, as the key of a rule look-up.
    pub path_key: PathKey,
}
