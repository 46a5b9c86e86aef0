//! The header of every record, and the one list of kinds.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of the wire format. The agent cannot decode a record of another version, and counts it as lost.
pub const WIRE_VERSION: u16 = 1;

/// The first bytes of every record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecordHeader {
    /// [`WIRE_VERSION`].
    pub version: u16,
    /// The number of a [`Kind`].
    pub kind: u16,
    /// Bytes of the whole record, including this header.
    pub len: u32,
    /// When it happened: nanoseconds on `CLOCK_BOOTTIME`, from `bpf_ktime_get_boot_ns()` (Linux 5.8).
    pub time_ns: u64,
    /// The CPU where it happened: no kernel supports more than 8,192.
    pub cpu: u16,
    /// The number of a [`Fate`](crate::Fate). A record that is not reported is for the process table alone.
    pub fate: u16,
    /// Identifies the task's cgroups in all hierarchies: tasks with the same number are in the same cgroups. 32 bits
    /// of the address of its `css_set`, in a fork, an exec and a snapshot; 0 in other records.
    pub cgroups: u32,
}

const _: () = assert!(size_of::<RecordHeader>() == 24);

/// Declares [`Kind`] and everything that exists once for each kind.
macro_rules! kinds {
    ($($(#[$doc:meta])* $number:literal => $kind:ident, $name:literal;)*) => {
        /// What a record is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Kind {
            $($(#[$doc])* $kind = $number,)*
        }

        impl Kind {
            /// How many kinds there are.
            pub const COUNT: usize = [$($number),*].len();
            /// All kinds, in the order of their numbers.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$kind),*];

            /// The kind with this number on the wire.
            #[must_use]
            pub const fn from_wire(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// The kind's number on the wire.
            #[must_use]
            pub const fn to_wire(self) -> u16 {
                match self { $(Self::$kind => $number,)* }
            }

            /// The index of the kind in tables that have a row for each kind: its number less one.
            #[must_use]
            pub const fn index(self) -> usize {
                match self { $(Self::$kind => $number - 1,)* }
            }

            /// The name of the kind: `event.action` of its events.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

impl Kind {
    /// The kind that the header of a record names; `None` for an unknown kind and for bytes too short for a header.
    ///
    /// Nothing else is checked: a record that cannot be decoded is still counted under its kind.
    #[must_use]
    pub fn of_record(bytes: &[u8]) -> Option<Self> {
        let (header, _) = RecordHeader::ref_from_prefix(bytes).ok()?;
        Self::from_wire(header.kind)
    }
}

kinds! {
    /// A new process, not a thread.
    1 => Fork, "fork";
    /// A process replaced its image.
    2 => Exec, "exec";
    /// The last thread of a process ended.
    3 => Exit, "exit";
    /// A connection was begun.
    4 => Connect, "connect";
    /// A TCP connect ended: the connection is open, or it failed.
    5 => ConnectResult, "connect-result";
    /// A process that ran before the agent, from the task iterator.
    6 => Task, "snapshot";
}
