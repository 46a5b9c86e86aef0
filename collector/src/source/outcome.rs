//! How a source of records ended.

use std::path::PathBuf;

/// How a source of records ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was read to its end, or stopped.
    Finished,
    /// It is a recording with records missing, at its end or in between. The records that could be read were passed on.
    Damaged(Damage),
}

/// What is wrong with a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recording {} is damaged at byte {offset}, after {records} records: {cause}", .path.display())]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where the entry begins that is damaged or missing, in bytes from the start of the file.
    pub offset: u64,
    /// The number of records before it.
    pub records: u64,
    /// What is wrong there.
    pub cause: DamageCause,
}

/// What is wrong at one place of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DamageCause {
    /// The file ends inside an entry.
    #[error("the file ends in the middle of an entry")]
    CutShort,
    /// The file ends behind an entry, but without the counters that end every whole recording.
    #[error("the file ends without its counters: the run that recorded it was cut short, or the file was")]
    NoCounters,
    /// No record is that long.
    #[error("an entry says that it has {len} bytes, more than any record")]
    Length {
        /// The length.
        len: u32,
    },
    /// More counters than this version has.
    #[error("an entry has {len} bytes of counters, more than this version of collector knows")]
    Counters {
        /// Their length.
        len: u32,
    },
    /// Records were not recorded. Those behind them were.
    #[error("{count} records are missing, because the disk was too slow while they were recorded")]
    Missing {
        /// How many, here and further on.
        count: u64,
    },
    /// The file cannot be read on.
    #[error("{reason}")]
    Io {
        /// The system's words.
        reason: String,
    },
}
