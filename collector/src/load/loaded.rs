//! The programs in the kernel: [`Loaded`], and how it is made.

use std::{fs::File, io, io::Read as _};

use aya::{
    Btf, Ebpf,
    maps::{MapData, RingBuf},
};

use super::{
    backup::Backups,
    cgroup_mount::find_cgroup2,
    counters::KernelCounters,
    error::LoadError,
    filters,
    hooks::{self, HOOKS, Hook},
    object::{Object, take},
    options::LoadOptions,
    part::{Degraded, Part},
};
use crate::filter::Filter;

/// Attached programs with their ring and counters. Dropping it detaches the programs.
pub struct Loaded {
    programs: Programs,
    records: RingBuf<MapData>,
    counters: KernelCounters,
    hooks: Vec<&'static str>,
    degraded: Vec<Degraded>,
    filter: Filter,
}

impl Loaded {
    /// Loads and attaches everything. [`Loaded::degraded`] has what the kernel lacks and the agent can do without.
    pub fn attach(options: &LoadOptions) -> Result<Self, LoadError> {
        let backups = Backups::here();
        let Object { mut ebpf, btf, degraded } = Object::create(options, backups)?;
        let records = take(&mut ebpf, "RECORDS")?;
        filters::fill(&mut ebpf, &options.filter)?;
        let cgroup = find_cgroup2().map(|mount| mount.open()).transpose();
        let mut attacher = Attacher { ebpf, btf, backups, cgroup, hooks: Vec::new(), degraded };
        let (before, after): (Vec<_>, Vec<_>) =
            HOOKS.iter().filter(|hook| options.want(hook)).partition(|hook| hook.part == Part::Cgroups);
        attacher.attach_all(&before)?;
        if !before.is_empty() {
            let mount = find_cgroup2().ok_or(LoadError::NoCgroup)?;
            filters::note_cgroups(&mut attacher.ebpf, &options.filter, mount.path())?;
        }
        attacher.attach_all(&after)?;
        let Attacher { mut ebpf, hooks, degraded, .. } = attacher;
        let counters = KernelCounters::of(&mut ebpf, backups)?;
        let programs = Programs { ebpf };
        Ok(Self { programs, records, counters, hooks, degraded, filter: options.filter.clone() })
    }

    /// Passes the images of running processes to the programs: process ids, and the path of each one's image. The iterator
    /// is only used if there are rules on images.
    pub fn note_running(&mut self, running: impl Iterator<Item = (u32, Vec<u8>)>) -> Result<(), LoadError> {
        filters::note_running(&mut self.programs.ebpf, &self.filter, running)
    }

    /// The hooks that are attached.
    #[must_use]
    pub fn hooks(&self) -> &[&'static str] {
        &self.hooks
    }

    /// The features that do not work on this kernel.
    #[must_use]
    pub fn degraded(&self) -> &[Degraded] {
        &self.degraded
    }

    /// The parts, for the reader of the ring. Dropping the programs detaches them; ring and counters live on.
    pub(crate) fn into_parts(self) -> (Programs, RingBuf<MapData>, KernelCounters) {
        (self.programs, self.records, self.counters)
    }
}

/// Attached programs. Dropping it detaches them; one that runs on another CPU at that moment may still add its record.
pub(crate) struct Programs {
    ebpf: Ebpf,
}

impl Programs {
    /// Lets the iterator put a record of each running process into the ring.
    pub(crate) fn scan_tasks(&mut self) -> Result<(), LoadError> {
        let mut tasks = hooks::open_tasks(&mut self.ebpf)?;
        // The iterator writes no text; reading it to its end runs it over every task.
        tasks.read_to_end(&mut Vec::new()).map_err(LoadError::Scan)?;
        Ok(())
    }
}

/// Attaches hooks, and notes which of them the kernel refused.
struct Attacher {
    ebpf: Ebpf,
    btf: Btf,
    backups: Backups,
    /// The root of cgroup v2, or why there is none.
    cgroup: io::Result<Option<File>>,
    hooks: Vec<&'static str>,
    degraded: Vec<Degraded>,
}

impl Attacher {
    fn attach_all(&mut self, hooks: &[&Hook]) -> Result<(), LoadError> {
        for hook in hooks {
            match (self.attach(hook), hook.part) {
                (Ok(()), _) => self.hooks.push(hook.name),
                // Running with a rule that does not hold is worse than not running.
                (Err(error), Part::Processes | Part::Cgroups) => return Err(error),
                (Err(error), part @ (Part::Scan | Part::Connections)) => self.degrade(part, &error),
            }
        }
        Ok(())
    }

    fn attach(&mut self, hook: &Hook) -> Result<(), LoadError> {
        hook.attach(&mut self.ebpf, &self.btf, &self.cgroup)?;
        if self.backups.are_needed_for(hook.part) {
            hook.attach_backup(&mut self.ebpf, &self.btf)?;
        }
        Ok(())
    }

    fn degrade(&mut self, part: Part, error: &LoadError) {
        let degraded = Degraded { feature: part.feature().to_owned(), reason: error.brief() };
        if !self.degraded.contains(&degraded) {
            self.degraded.push(degraded);
        }
    }
}
