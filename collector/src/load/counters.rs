//! The kernel side's counters, summed up over all CPUs.

use std::io;

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
};
use collector_common::Counters;

use super::{
    backup::Backups,
    error::LoadError,
    misses::Misses,
    object::take,
    wire::{Wire, add},
};

/// What the kernel side has seen and lost. It stays readable after the programs are detached.
pub(crate) struct KernelCounters {
    by_cpu: PerCpuArray<MapData, Wire<Counters>>,
    misses: Misses,
}

impl KernelCounters {
    /// Of the programs that are loaded.
    pub(super) fn of(ebpf: &mut Ebpf, backups: Backups) -> Result<Self, LoadError> {
        Ok(Self { by_cpu: take(ebpf, "COUNTERS")?, misses: Misses::of(ebpf, backups)? })
    }

    /// The sums over all CPUs.
    pub(crate) fn read(&self) -> io::Result<Counters> {
        let by_cpu = self.by_cpu.get(&0, 0).map_err(io::Error::other)?;
        let mut sum = Counters::default();
        for Wire(counters) in by_cpu.iter() {
            add(&mut sum, counters);
        }
        self.misses.add_to(&mut sum)?;
        Ok(sum)
    }
}
