//! Body of [`Kind::Exit`](crate::Kind::Exit).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{record::RecordHeader, task::TaskState};

/// The last thread of a process ended.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExitRecord {
    /// The header.
    pub header: RecordHeader,
    /// The process at its end, with its last thread.
    pub task: TaskState,
    /// User time of all threads in nanoseconds, as the timer tick sampled it.
    pub utime_ns: u64,
    /// System time, in the same way.
    pub stime_ns: u64,
    /// Time on a CPU, as the scheduler measured it. Reports scale the two above to this sum, as wait4(2) does.
    pub runtime_ns: u64,
    /// Peak of resident memory, in pages: `signal->maxrss`.
    pub max_rss_pages: u64,
    /// Start of the process that takes over the children.
    pub reaper_start_ns: u64,
    /// Thread-group id of the process that takes over the children.
    pub reaper_tgid: u32,
    /// The status of wait(2): exit code in bits 8 to 15, signal in bits 0 to 6, core dump in bit 7.
    pub exit_code: u32,
}

const _: () = assert!(size_of::<ExitRecord>() == 192);
