//! What the loader and the programs share about filters: switches, bits of rules, and the fate of a record.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bit of a rule: processes that match it are filtered out.
pub const EXCLUDE: u32 = 1;
/// Bit of a rule: processes that match no rule of its key with this bit are filtered out.
pub const ONLY: u32 = 2;
/// Position of the two bits of rules on the parent's image, behind those on the image itself. One look-up of a path
/// gets both, since each image may be another's parent.
pub const PARENT_SHIFT: u32 = 2;

/// Bytes of a path that rules are compared with: the maximum of a trie in the kernel (`LPM_DATA_SIZE_MAX`).
pub const RULE_PATH_MAX: usize = 256;
/// `PID_MAX_LIMIT` of a 64-bit kernel: process ids are below it.
pub const PID_LIMIT: u32 = 1 << 22;
/// Process ids in one value of a map that has a byte for each of them.
pub const PIDS_IN_A_PAGE: usize = 4096;
/// Images with a count for the limit; the least recently used is evicted.
pub const LIMITED_IMAGES_MAX: u32 = 8192;
/// Most cgroups that may match a rule.
pub const RULED_CGROUPS_MAX: u32 = 32 << 10;
/// Most processes from before the agent whose images may match a rule.
pub const RULED_PROCESSES_MAX: u32 = 32 << 10;

/// Which keys have rules, as [`EXCLUDE`] and [`ONLY`], and the limit. The programs have this as read-only data, so
/// that the verifier removes the code of whatever is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Filters {
    /// 1 if any other field is not 0.
    pub any: u32,
    /// Effective user ids.
    pub uids: u32,
    /// Cgroups, each with those below it.
    pub cgroups: u32,
    /// Names of processes.
    pub comms: u32,
    /// Paths of images.
    pub images: u32,
    /// Paths of the images of parents.
    pub parents: u32,
    /// Nanoseconds from one exec of an image to the next at the limit; 0 for no limit.
    pub limit_interval_ns: u64,
    /// How much earlier an exec may come, in nanoseconds: the interval, times the burst less one.
    pub limit_slack_ns: u64,
}

impl Filters {
    /// No filters: every event is reported.
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

/// What happens to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is reported, if its action is wanted.
    Reported,
    /// A rule filters it out.
    ByRule,
    /// Its image ran more often than the limit allows.
    ByLimit,
}

impl Fate {
    /// Its number in [`RecordHeader::fate`](crate::RecordHeader::fate).
    #[must_use]
    pub const fn to_wire(self) -> u16 {
        match self {
            Self::Reported => 0,
            Self::ByRule => 1,
            Self::ByLimit => 2,
        }
    }

    /// The fate with this number. An unknown number means that the record is filtered out.
    #[must_use]
    pub const fn from_wire(number: u16) -> Self {
        match number {
            0 => Self::Reported,
            2 => Self::ByLimit,
            _ => Self::ByRule,
        }
    }
}
