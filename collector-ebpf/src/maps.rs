//! The maps, and the read-only data that the loader fills in.

#![expect(unsafe_code, reason = "map values are raw pointers")]

pub mod filters;
pub mod standby;

use aya_ebpf::{
    Global,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use collector_common::{
    ARGS_MAX, CONNECTING_MAX, ConnectRecord, Counters, ExecRecord, Offsets, RING_BYTES, UDP_PEERS_MAX,
};

use self::filters::PathKey;
use crate::kernel::path::Walk;

/// The one way to the agent, in one order for all CPUs. The loader may choose another size.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// What was seen and lost, by CPU.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Where execs are put together. A plain array indexed by CPU, since values of per-CPU maps stop at 32 KiB. The loader
/// makes an entry for each possible CPU, and one more for the program that stands by there. One program alone uses an entry,
/// and a tracing program does not nest on its CPU, so it has one writer at a time.
#[map]
pub static EXECS: Array<ExecScratch> = Array::with_max_entries(1, 0);

/// Where their paths are walked, of as many entries. Apart from them, as a step of a walk looks its place up by itself.
#[map]
static WALKS: Array<Walk> = Array::with_max_entries(1, 0);

/// TCP connects whose end has not been seen, by socket cookie.
#[map]
pub static CONNECTING: HashMap<u64, ConnectRecord> = HashMap::with_max_entries(CONNECTING_MAX, 0);

/// Peers that an unconnected UDP socket has sent to, so that each makes one event.
#[map]
pub static UDP_PEERS: LruHashMap<UdpPeer, u64> = LruHashMap::with_max_entries(UDP_PEERS_MAX, 0);

/// Offsets in the running kernel's structures: see [`Offsets`].
#[unsafe(no_mangle)]
pub static OFFSETS: Global<Offsets> = Global::new(Offsets::NONE);

/// Where an exec is put together by a program on this CPU; `None` where the loader made no entry of this place.
#[inline(always)]
pub fn exec_scratch(place: u32) -> Option<&'static mut ExecScratch> {
    let scratch = EXECS.get_ptr_mut(place)?;
    // SAFETY: the map's values are `ExecScratch`, of integers and bytes that the kernel zeroes at the start. No other
    // reference to this value exists: one program alone asks for it, once, and it does not nest on its CPU.
    Some(unsafe { &mut *scratch })
}

/// Where paths of the exec at `place` are walked; `None` where the loader made no entry of this place.
#[inline(always)]
pub fn walk_of(place: u32) -> Option<&'static mut Walk> {
    let walk = WALKS.get_ptr_mut(place)?;
    // SAFETY: as above; the program that the place belongs to keeps no reference while it calls what asks for another.
    Some(unsafe { &mut *walk })
}

/// The connect that was begun on the socket of this cookie.
#[inline(always)]
pub fn connecting(cookie: u64) -> Option<&'static ConnectRecord> {
    // SAFETY: an entry is removed by one hook alone, after its last use, for this socket and under the socket's lock; so
    // nobody removes or reuses it while it is read.
    unsafe { CONNECTING.get(cookie) }
}

/// What an entry of [`CONNECTING`] is made of.
static BLANK: ConnectRecord = zerocopy::transmute!([0u8; size_of::<ConnectRecord>()]);

/// Puts a connect into [`CONNECTING`]; `false` where it is full. The entry is made first and written in place then: 5.10
/// takes no value out of a reserved record, and the stack has no room for a copy.
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
    // SAFETY: the entry was just made by this call, for a socket that is locked and has not sent its SYN, so nobody else
    // reads, writes or removes it.
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
    /// Zero; a key is compared with all its bytes.
    pub reserved: u32,
}

/// Bytes behind an exec's fixed part: where a piece may begin, and the longest piece.
pub const PIECES_LEN: usize = PIECES_BEGIN_MAX + ARGS_MAX;
/// Just over the highest place a piece begins at (three paths and the arguments before it): a power of two, so that a mask
/// keeps the verifier content.
pub const PIECES_BEGIN_MAX: usize = 256 << 10;

/// Where one exec is put together.
#[repr(C)]
pub struct ExecScratch {
    /// The fixed part. The pieces follow it directly, as in the record.
    pub record: ExecRecord,
    /// The pieces, one behind the other.
    pub pieces: [u8; PIECES_LEN],
    /// Bytes of `pieces` in use. 64 bits, so that a check of it and its use are one register to the verifier.
    pub used: u64,
    /// The beginning of the image's path, as rules are looked up by.
    pub path_key: PathKey,
}
