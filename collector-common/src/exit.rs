//! Body of [`Kind::Exit`](crate::Kind::Exit).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{RecordHeader, TaskState};

/// A process ended: its last thread did.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExitRecord {
    /// The head.
    pub header: RecordHeader,
    /// The process as it ends. The thread is the last one.
    pub task: TaskState,
    /// User time of all threads in nanoseconds, as the timer tick sampled it.
    pub utime_ns: u64,
    /// System time, the same way.
    pub stime_ns: u64,
    /// Time on a CPU, as the scheduler measured it. The two above are scaled to this sum, as wait4(2) does.
    pub runtime_ns: u64,
    /// Peak of resident memory, in pages: `signal->maxrss`.
    pub max_rss_pages: u64,
    /// Start of the process that takes over the children.
    pub reaper_start_ns: u64,
    /// Thread-group id of the process that takes over the children.
    pub reaper_tgid: u32,
    /// As wait(2) tells it: status in bits 8 to 15, signal in bits 0 to 6, core dump in bit 7.
    pub exit_code: u32,
}

const _: () = assert!(size_of::<ExitRecord>() == 192);
