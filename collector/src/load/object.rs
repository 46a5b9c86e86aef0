//! The kernel object of this binary: creates its maps, with the offsets, switches and sizes in them.

use aya::{
    Btf, Ebpf, EbpfLoader, Endianness, include_bytes_aligned,
    maps::{Map, MapError},
    util::nr_cpus,
};
use collector_common::Offsets;
use zerocopy::IntoBytes as _;

use super::{
    backup::Backups,
    error::LoadError,
    filters,
    offsets::{self, ResolvedOffsets},
    options::LoadOptions,
    part::Degraded,
    privilege::missing_capabilities,
    vmlinux::read_vmlinux,
};

/// The kernel object, empty in a build without it.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/collector-ebpf.o"));

/// Bytes of the kernel object in this binary; 0 in a build without it.
#[must_use]
pub fn object_len() -> usize {
    OBJECT.len()
}

/// The object with its maps in the kernel, and none of its programs yet.
pub(super) struct Object {
    pub(super) ebpf: Ebpf,
    pub(super) btf: Btf,
    /// Features for which the kernel's structures lack fields.
    pub(super) degraded: Vec<Degraded>,
}

impl Object {
    /// Creates the maps. Loads no program.
    pub(super) fn create(options: &LoadOptions, backups: Backups) -> Result<Self, LoadError> {
        let missing = missing_capabilities();
        if !missing.is_empty() {
            return Err(LoadError::NotPrivileged { missing });
        }
        if OBJECT.is_empty() {
            return Err(LoadError::NoObject);
        }
        let vmlinux = read_vmlinux().map_err(LoadError::NoBtf)?;
        let ResolvedOffsets { offsets, degraded } = offsets::find(&vmlinux)?;
        let btf = Btf::parse(&vmlinux, Endianness::default()).map_err(LoadError::unloadable_btf)?;
        let mut ebpf = create_maps(options, backups, &btf, &offsets)?;
        if options.kernel_log > 0 {
            follow_kernel_log(&mut ebpf);
        }
        Ok(Self { ebpf, btf, degraded })
    }
}

fn create_maps(
    options: &LoadOptions,
    backups: Backups,
    btf: &Btf,
    offsets: &Offsets,
) -> Result<Ebpf, LoadError> {
    let cpus = nr_cpus().map_err(|(file, source)| LoadError::Cpus { file, source })?;
    let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
    let places = cpus.saturating_mul(backups.programs());
    let filters = filters::switches(&options.filter);
    let mut loader = EbpfLoader::new();
    for (map, entries) in filters::sizes(&options.filter) {
        loader.map_max_entries(map, entries);
    }
    loader
        .btf(Some(btf))
        .override_global("OFFSETS", offsets.as_bytes(), true)
        .override_global("FILTERS", filters.as_bytes(), true)
        .override_global("PROGRAMS_AT_A_HOOK", &backups.programs(), true)
        .override_global(aya_log::LEVEL, &options.kernel_log, true)
        .map_max_entries("RECORDS", options.ring_bytes)
        .map_max_entries("EXECS", places)
        .map_max_entries("WALKS", places)
        .map_max_entries("MARKS", backups.pages())
        .load(OBJECT)
        .map_err(LoadError::maps)
}

/// Copies the programs' own log to the agent's, on a thread of its own: it is for diagnosis, and off by default.
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
        Err(error) => tracing::warn!("cannot read the log of the kernel programs: {error}"),
    }
}

/// Takes a map out of the object. It lives on when the programs are detached.
pub(super) fn take<T: TryFrom<Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<T, LoadError> {
    let map = ebpf.take_map(name).ok_or(LoadError::NoMap { map: name })?;
    T::try_from(map).map_err(|source| LoadError::map(name, source))
}
