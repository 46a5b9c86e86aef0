//! What the loader and the programs agree on for filters: the switches, the bits of rules, and what becomes of a record.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bit of a rule: what matches it is left out.
pub const EXCLUDE: u32 = 1;
/// Bit of a rule: what matches no rule of its key with this bit is left out.
pub const ONLY: u32 = 2;
/// Where the two bits of rules on the parent's image stand behind those on the image itself: one path is looked up for
/// both, since each image may be another's parent.
pub const PARENT_SHIFT: u32 = 2;

/// Bytes of a path that rules are compared with: the most that a trie of the kernel takes (`LPM_DATA_SIZE_MAX`).
pub const RULE_PATH_MAX: usize = 256;
/// `PID_MAX_LIMIT` of a kernel of 64 bits: process ids are below it.
pub const PID_LIMIT: u32 = 1 << 22;
/// Processes of which the programs keep a byte each, in one value of their map.
pub const PIDS_IN_A_PAGE: usize = 4096;
/// Images whose executions are counted for a limit; the least recently used is forgotten.
pub const LIMITED_IMAGES_MAX: u32 = 8192;
/// Cgroups that match a rule, at most.
pub const RULED_CGROUPS_MAX: u32 = 32 << 10;
/// Processes that ran before the agent and whose images match a rule, at most.
pub const RULED_PROCESSES_MAX: u32 = 32 << 10;

/// Which keys have rules, as [`EXCLUDE`] and [`ONLY`], and the limit. The programs have it as read-only data, so that the
/// verifier takes out the code of what is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Filters {
    /// 1 where anything else here is not 0.
    pub any: u32,
    /// Effective user ids.
    pub uids: u32,
    /// Cgroups and what is below them.
    pub cgroups: u32,
    /// Names of processes.
    pub comms: u32,
    /// Paths of images.
    pub images: u32,
    /// Paths of the images of parents.
    pub parents: u32,
    /// Nanoseconds from one execution of an image to the next at the limit; 0 for no limit.
    pub limit_interval_ns: u64,
    /// How much sooner executions may come, in nanoseconds: the interval, times all of a burst but its first.
    pub limit_slack_ns: u64,
}

impl Filters {
    /// None: all is told.
    pub const OFF: Self = Self {
        any: 0,
        uids: 0,
        cgroups: 0,
        comms: 0,
        images: 0,
        parents: 0,
        limit_interval_ns: 0,
        limit_slack_ns: 0,
    };
}

const _: () = assert!(size_of::<Filters>() == 40);

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is told, if its action is wanted.
    Told,
    /// A rule leaves it out.
    ByRule,
    /// Its image was run more often than the limit says.
    ByLimit,
}

impl Fate {
    /// Its number in [`RecordHeader::fate`](crate::RecordHeader::fate): 0 is told.
    #[must_use]
    pub const fn to_wire(self) -> u16 {
        match self {
            Self::Told => 0,
            Self::ByRule => 1,
            Self::ByLimit => 2,
        }
    }

    /// The fate of this number. An unknown one is left out, as all but 0 are.
    #[must_use]
    pub const fn from_wire(number: u16) -> Self {
        match number {
            0 => Self::Told,
            2 => Self::ByLimit,
            _ => Self::ByRule,
        }
    }
}
