//! The head of every record and the one list of kinds.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of the wire format. The agent refuses a record of another version as undecodable and counts it.
pub const WIRE_VERSION: u16 = 1;

/// The first bytes of every record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecordHeader {
    /// [`WIRE_VERSION`].
    pub version: u16,
    /// A [`Kind`] as its number.
    pub kind: u16,
    /// Bytes of the whole record, this header included.
    pub len: u32,
    /// When it happened: nanoseconds on `CLOCK_BOOTTIME`, from `bpf_ktime_get_boot_ns()` (Linux 5.8).
    pub time_ns: u64,
    /// The CPU it happened on: no kernel knows more than 8,192.
    pub cpu: u16,
    /// A [`Fate`](crate::Fate) as its number. A record that is not told is for the process table alone.
    pub fate: u16,
    /// Names the cgroups of the task, of all hierarchies together, in a fork, an exec and a scan: two tasks with the same
    /// number are in the same ones. 32 bits of the address of its `css_set`; 0 in other records.
    pub cgroups: u32,
}

const _: () = assert!(size_of::<RecordHeader>() == 24);

/// Declares [`Kind`] and everything that is one per kind.
macro_rules! kinds {
    ($($(#[$doc:meta])* $number:literal => $kind:ident, $name:literal;)*) => {
        /// What a record tells.
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

            /// The kind of this number on the wire.
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

            /// The kind's place in tables that have a row for each: its number less one.
            #[must_use]
            pub const fn index(self) -> usize {
                match self { $(Self::$kind => $number - 1,)* }
            }

            /// The kind's name: `event.action` of the events that it becomes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
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
    /// A TCP connection that was begun came to its end: open, or failed.
    5 => ConnectResult, "connect-result";
    /// A process that runs already, told by the task iterator.
    6 => Task, "snapshot";
}
