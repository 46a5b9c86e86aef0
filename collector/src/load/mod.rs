//! Brings the programs into the kernel: finds the offsets, loads, attaches, and detaches again.

pub mod btf;
mod cgroup_mount;
mod error;
mod filters;
mod hooks;
mod misses;
mod offsets;
mod privilege;
mod standby;
mod wire;

use std::{fs::File, io, io::Read as _};

use aya::{
    Btf, Ebpf, EbpfLoader, Endianness, include_bytes_aligned,
    maps::{Map, MapData, PerCpuArray, RingBuf},
    util::nr_cpus,
};
use collector_common::{Counters, Offsets};
use zerocopy::IntoBytes as _;

#[cfg(test)]
pub(crate) use self::privilege::missing_from;
pub(crate) use self::privilege::{advice_to, effective_capabilities};
pub use self::{
    cgroup_mount::{CgroupMount, find_cgroup2},
    error::LoadError,
    hooks::{HOOKS, Hook, Part},
    privilege::{Capability, missing_capabilities},
};
use self::{
    misses::Misses,
    offsets::Found,
    standby::Standby,
    wire::{Wire, add},
};
use crate::filter::Filter;

/// The kernel object, empty in a build without it.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/collector-ebpf.o"));

/// Where the kernel tells its types.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// What is loaded, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of the ring buffer, a power of two of at least a page.
    pub ring_bytes: u32,
    /// Whether the hooks for connections are attached.
    pub connections: bool,
    /// The programs' own log, 0 (off, and free) to 5 (trace), as `aya_log` numbers its levels.
    pub kernel_log: u8,
    /// What is told.
    pub filter: Filter,
}

impl Options {
    fn want(&self, hook: &Hook) -> bool {
        match hook.part {
            Part::Processes | Part::Scan => true,
            Part::Connections => self.connections,
            Part::Cgroups => filters::has_cgroups(&self.filter),
        }
    }
}

/// Something that does not work on this kernel, while the rest does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// What is missing from the events.
    pub feature: String,
    /// Why.
    pub reason: String,
}

/// The programs in the kernel. Dropping it detaches them.
pub struct Loaded {
    /// `None` once detached: dropping it is what detaches.
    ebpf: Option<Ebpf>,
    records: Option<RingBuf<MapData>>,
    counters: PerCpuArray<MapData, Wire<Counters>>,
    hooks: Vec<&'static str>,
    standby: Standby,
    misses: Option<Misses>,
    degraded: Vec<Degraded>,
    filter: Filter,
}

impl Loaded {
    /// Loads everything and attaches it. What the kernel lacks and the agent can do without is in
    /// [`Loaded::degraded`].
    pub fn attach(options: &Options) -> Result<Self, LoadError> {
        let (mut ebpf, btf, degraded) = load(options)?;
        let records = RingBuf::try_from(take(&mut ebpf, "RECORDS")?)
            .map_err(|source| LoadError::Map { map: "RECORDS", source })?;
        let counters = PerCpuArray::try_from(take(&mut ebpf, "COUNTERS")?)
            .map_err(|source| LoadError::Map { map: "COUNTERS", source })?;
        let mut loaded = Self {
            ebpf: None,
            records: Some(records),
            counters,
            hooks: Vec::new(),
            standby: Standby::here(),
            misses: None,
            degraded,
            filter: options.filter.clone(),
        };
        filters::fill(&mut ebpf, &options.filter)?;
        let (before, after): (Vec<_>, Vec<_>) =
            HOOKS.iter().filter(|hook| options.want(hook)).partition(|hook| hook.part == Part::Cgroups);
        loaded.attach_all(&before, &mut ebpf, &btf)?;
        if !before.is_empty() {
            let mount = find_cgroup2().ok_or(LoadError::NoCgroup)?;
            filters::note_cgroups(&mut ebpf, &options.filter, mount.path())?;
        }
        loaded.attach_all(&after, &mut ebpf, &btf)?;
        loaded.misses = Some(Misses::of(&mut ebpf, loaded.standby)?);
        loaded.ebpf = Some(ebpf);
        Ok(loaded)
    }

    fn attach_all(&mut self, hooks: &[&Hook], ebpf: &mut Ebpf, btf: &Btf) -> Result<(), LoadError> {
        let cgroup = find_cgroup2().map(|mount| mount.open()).transpose();
        for hook in hooks {
            let mut attached = hook.attach(ebpf, btf, &cgroup);
            if self.standby.is_needed_for(hook.part) {
                attached = attached.and_then(|()| hook.attach_standby(ebpf, btf));
            }
            match (attached, hook.part) {
                (Ok(()), _) => self.hooks.push(hook.name),
                // A rule that would not hold is worse than none.
                (Err(error), Part::Processes | Part::Cgroups) => return Err(error),
                (Err(error), part @ (Part::Scan | Part::Connections)) => self.degrade(part, &error),
            }
        }
        Ok(())
    }

    /// Tells the programs what runs already: process ids, and the path of each one's image. Asked for only where there are
    /// rules on images.
    pub fn note_running(&mut self, running: impl Iterator<Item = (u32, Vec<u8>)>) -> Result<(), LoadError> {
        let Some(ebpf) = &mut self.ebpf else { return Ok(()) };
        filters::note_running(ebpf, &self.filter, running)
    }

    fn degrade(&mut self, part: Part, error: &LoadError) {
        let degraded = Degraded { feature: part.feature().to_owned(), reason: error.brief() };
        if !self.degraded.contains(&degraded) {
            self.degraded.push(degraded);
        }
    }

    /// The hooks that are attached.
    #[must_use]
    pub fn hooks(&self) -> &[&'static str] {
        &self.hooks
    }

    /// What does not work on this kernel.
    #[must_use]
    pub fn degraded(&self) -> &[Degraded] {
        &self.degraded
    }

    /// The ring; once.
    pub fn take_records(&mut self) -> Option<RingBuf<MapData>> {
        self.records.take()
    }

    /// The sums over all CPUs of what was seen and lost.
    pub fn counters(&self) -> io::Result<Counters> {
        let by_cpu = self.counters.get(&0, 0).map_err(io::Error::other)?;
        let mut sum = Counters::default();
        for Wire(counters) in by_cpu.iter() {
            add(&mut sum, counters);
        }
        if let Some(misses) = &self.misses {
            misses.add_to(&mut sum)?;
        }
        Ok(sum)
    }

    /// Lets the iterator put a record of each running process into the ring.
    pub fn scan_tasks(&mut self) -> Result<(), LoadError> {
        let Some(ebpf) = &mut self.ebpf else { return Ok(()) };
        let mut tasks = hooks::open_tasks(ebpf)?;
        // The iterator writes no text; reading it to its end is what runs it over every task.
        tasks.read_to_end(&mut Vec::new()).map_err(LoadError::Scan)?;
        Ok(())
    }

    /// Detaches every program. One that runs on another CPU at this moment may still add its record.
    pub fn detach(&mut self) {
        self.ebpf = None;
    }
}

/// What became of one hook.
#[derive(Debug)]
pub struct Probed {
    /// The hook.
    pub hook: Hook,
    /// Whether it could be attached and detached.
    pub outcome: Result<(), LoadError>,
}

/// Loads, attaches and detaches each hook, whatever becomes of the others: for `doctor`.
pub fn probe(options: &Options) -> Result<Vec<Probed>, LoadError> {
    let (mut ebpf, btf, _) = load(options)?;
    let cgroup = find_cgroup2().map(|mount| mount.open()).transpose();
    let probed = HOOKS.iter().map(|&hook| Probed { hook, outcome: hook.probe(&mut ebpf, &btf, &cgroup) });
    Ok(probed.collect())
}

/// What this kernel's types lack that the agent can do without; an error for what it cannot. Takes no privilege.
pub fn lacking_fields() -> Result<Vec<Degraded>, LoadError> {
    offsets::find(&read_vmlinux()?).map(|found| found.degraded)
}

/// Bytes of the kernel object in this binary; 0 in a build without it.
#[must_use]
pub fn object_len() -> usize {
    OBJECT.len()
}

/// Creates the maps with the offsets in them; loads no program yet.
fn load(options: &Options) -> Result<(Ebpf, Btf, Vec<Degraded>), LoadError> {
    let missing = missing_capabilities();
    if !missing.is_empty() {
        return Err(LoadError::NotPrivileged { missing });
    }
    if OBJECT.is_empty() {
        return Err(LoadError::NoObject);
    }
    let vmlinux = read_vmlinux()?;
    let Found { offsets, degraded } = offsets::find(&vmlinux)?;
    let btf = Btf::parse(&vmlinux, Endianness::default())?;
    let mut ebpf = create_maps(options, &btf, &offsets)?;
    if options.kernel_log > 0 {
        follow_kernel_log(&mut ebpf);
    }
    Ok((ebpf, btf, degraded))
}

fn create_maps(options: &Options, btf: &Btf, offsets: &Offsets) -> Result<Ebpf, LoadError> {
    let cpus = nr_cpus().map_err(|(file, source)| LoadError::Cpus { file, source })?;
    let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
    let standby = Standby::here();
    let places = cpus.saturating_mul(standby.programs());
    let filters = filters::switches(&options.filter);
    let mut loader = EbpfLoader::new();
    for (map, entries) in filters::sizes(&options.filter) {
        loader.map_max_entries(map, entries);
    }
    Ok(loader
        .btf(Some(btf))
        .override_global("OFFSETS", offsets.as_bytes(), true)
        .override_global("FILTERS", filters.as_bytes(), true)
        .override_global("PROGRAMS_AT_A_HOOK", &standby.programs(), true)
        .override_global(aya_log::LEVEL, &options.kernel_log, true)
        .map_max_entries("RECORDS", options.ring_bytes)
        .map_max_entries("EXECS", places)
        .map_max_entries("WALKS", places)
        .map_max_entries("MARKS", standby.pages())
        .load(OBJECT)?)
}

/// Hands the programs' own log to the agent's, from a thread of its own: it is for diagnosis, off by default.
fn follow_kernel_log(ebpf: &mut Ebpf) {
    match aya_log::EbpfLogger::init(ebpf) {
        Ok(mut logger) => {
            std::thread::spawn(move || {
                loop {
                    logger.flush();
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            });
        }
        Err(error) => tracing::warn!("the programs' own log cannot be read: {error}"),
    }
}

/// The kernel's types, as they stand in [`VMLINUX`].
pub fn read_vmlinux() -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    File::open(VMLINUX).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(LoadError::NoBtf)?;
    Ok(bytes)
}

fn take(ebpf: &mut Ebpf, map: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(map).ok_or(LoadError::NoMap { map })
}
