//! The names of processes.

use crate::procfs::StartTicks;

/// A thread-group id in the initial PID namespace: what user space calls a process id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tgid(pub u32);

/// Nanoseconds on `CLOCK_BOOTTIME`: since boot, suspend included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelTimeNs(pub u64);

impl KernelTimeNs {
    /// The start of a clock tick. /proc gives the start of a process in ticks.
    #[must_use]
    pub fn from_ticks(ticks: StartTicks) -> Self {
        Self(ticks.to_boottime_ns())
    }

    /// The clock tick that contains this moment.
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
    /// From an id and a start in nanoseconds since boot.
    #[must_use]
    pub fn new(tgid: u32, start_ns: u64) -> Self {
        Self { tgid: Tgid(tgid), start: KernelTimeNs(start_ns) }
    }

    /// From two fields of a record that may name no process. `None` for id 0: the first processes have no parent.
    #[must_use]
    pub fn from_record(tgid: u32, start_ns: u64) -> Option<Self> {
        (tgid != 0).then(|| Self::new(tgid, start_ns))
    }

    /// The same life with its start cut to the clock tick, as /proc gives it.
    #[must_use]
    pub fn to_the_tick(self) -> Self {
        Self { start: KernelTimeNs::from_ticks(self.start.to_ticks()), ..self }
    }
}
