//! What the kernel side counts: one [`Counters`] for each CPU.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::record::Kind;

/// Why the kernel side could not send a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The ring buffer had no room.
    RingFull,
    /// The kernel side had no memory to build the record in.
    ReserveFailed,
    /// A table of the kernel side was full.
    TableFull,
}

impl Loss {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All of them, by index.
    pub const ALL: [Self; Self::COUNT] = [Self::RingFull, Self::ReserveFailed, Self::TableFull];

    /// The index of this loss in [`Counters::lost`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::RingFull => 0,
            Self::ReserveFailed => 1,
            Self::TableFull => 2,
        }
    }
}

/// Counters of one CPU. Only that CPU writes them, so no increment is lost.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Counters {
    /// Events seen, by [`Kind::index`].
    pub seen: [u64; Kind::COUNT],
    /// Events seen and not sent, by [`Kind::index`] and [`Loss::index`].
    pub lost: [[u64; Loss::COUNT]; Kind::COUNT],
    /// Datagrams to a peer for which the socket had a connect event already.
    pub udp_folded: u64,
    /// Connects that a rule filters out. They are not sent.
    pub connects_by_rule: u64,
    /// Connects of processes whose image ran more often than the limit allows. They are not sent either.
    pub connects_by_limit: u64,
}
