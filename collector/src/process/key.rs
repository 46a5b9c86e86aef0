//! What names a process.

use crate::procfs::StartTicks;

/// A thread-group id in the initial PID namespace: what user space calls a process id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tgid(pub u32);

/// Nanoseconds on `CLOCK_BOOTTIME`: since boot, suspend included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelTimeNs(pub u64);

impl KernelTimeNs {
    /// The beginning of a clock tick, as near as /proc tells the start of a process.
    #[must_use]
    pub fn from_ticks(ticks: StartTicks) -> Self {
        Self(ticks.to_boottime_ns())
    }

    /// As /proc tells the start of a process: in whole clock ticks.
    #[must_use]
    pub fn to_ticks(self) -> StartTicks {
        StartTicks::from_boottime_ns(self.0)
    }
}

/// One life of a process id. A [`Tgid`] alone is reused; with its start it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// The id.
    pub tgid: Tgid,
    /// When that life began.
    pub start: KernelTimeNs,
}

impl ProcessKey {
    /// From the words of a record.
    #[must_use]
    pub fn new(tgid: u32, start_ns: u64) -> Self {
        Self { tgid: Tgid(tgid), start: KernelTimeNs(start_ns) }
    }

    /// The same life as /proc names it, which tells the start to the clock tick.
    #[must_use]
    pub fn to_the_tick(self) -> Self {
        Self { start: KernelTimeNs::from_ticks(self.start.to_ticks()), ..self }
    }

    /// The parent of the first processes: there is none.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.tgid.0 == 0
    }
}
