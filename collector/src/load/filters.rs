//! Passes the rules of a [`Filter`] to the programs: switches as read-only data, and a map for each key.
//!
//! Rules on paths of images and cgroups are tries, in which the kernel side looks up a path of any length at once. It looks up
//! the path of a cgroup when the cgroup is made. For cgroups and processes that already exist, this module does it.

use std::{
    borrow::BorrowMut,
    collections::BTreeMap,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, Pod,
    maps::{HashMap, Map, MapData, MapError, lpm_trie},
};
use collector_common::{
    Filters, LIMITED_IMAGES_MAX, PID_LIMIT, PIDS_IN_A_PAGE, RULE_PATH_MAX, RULED_CGROUPS_MAX,
    RULED_PROCESSES_MAX,
};

use super::error::LoadError;
use crate::filter::{CgroupRule, Filter, PathRule, Rule, Trie};

const UIDS: &str = "UIDS";
const COMMS: &str = "COMMS";
const PATHS: &str = "PATHS";
const CGROUP_PATHS: &str = "CGROUP_PATHS";
const CGROUPS: &str = "CGROUPS";
const FOUND: &str = "FOUND";

/// Which keys have rules, and the limit.
pub(super) fn switches(filter: &Filter) -> Filters {
    let mut switches = Filters::OFF;
    for (rule, bit) in filter.rules() {
        *match rule {
            Rule::Uid(_) => &mut switches.uids,
            Rule::Cgroup(_) => &mut switches.cgroups,
            Rule::Comm(_) => &mut switches.comms,
            Rule::Image(_) => &mut switches.images,
            Rule::Parent(_) => &mut switches.parents,
        } |= bit;
    }
    if let Some(limit) = &filter.exec_limit {
        (switches.limit_interval_ns, switches.limit_slack_ns) = (limit.interval_ns(), limit.slack_ns());
    }
    switches.any = u32::from(!filter.is_off());
    switches
}

/// The number of entries of each map; one for a map that is not used.
pub(super) fn sizes(filter: &Filter) -> [(&'static str, u32); 8] {
    let on = |used: bool, entries: u32| if used { entries.max(1) } else { 1 };
    let rules = u32::try_from(filter.rules().count()).unwrap_or(u32::MAX);
    let has_images = filter.image_rules().next().is_some();
    let pages = PID_LIMIT.div_ceil(u32::try_from(PIDS_IN_A_PAGE).unwrap_or(1));
    [
        (UIDS, on(true, rules)),
        (COMMS, on(true, rules)),
        (PATHS, on(true, rules)),
        (CGROUP_PATHS, on(true, rules)),
        (CGROUPS, on(has_cgroups(filter), RULED_CGROUPS_MAX)),
        (FOUND, on(has_images, RULED_PROCESSES_MAX)),
        ("STATES", on(!filter.is_off(), pages)),
        ("DUE", on(filter.exec_limit.is_some(), LIMITED_IMAGES_MAX)),
    ]
}

/// Whether there are rules on cgroups.
pub(super) fn has_cgroups(filter: &Filter) -> bool {
    filter.cgroup_rules().next().is_some()
}

/// Fills the maps that do not depend on what runs.
pub(super) fn fill(ebpf: &mut Ebpf, filter: &Filter) -> Result<(), LoadError> {
    let (mut uids, mut comms) = (BTreeMap::<u32, u32>::new(), BTreeMap::new());
    for (rule, bit) in filter.rules() {
        match rule {
            Rule::Uid(uid) => *uids.entry(*uid).or_default() |= bit,
            Rule::Comm(comm) => *comms.entry(comm.0).or_default() |= bit,
            // In tries, below, and in the maps of existing cgroups and processes.
            Rule::Cgroup(_) | Rule::Image(_) | Rule::Parent(_) => {}
        }
    }
    insert(ebpf, UIDS, uids)?;
    insert(ebpf, COMMS, comms)?;
    insert_paths(ebpf, PATHS, &Trie::new(filter.image_rules()))?;
    insert_paths(ebpf, CGROUP_PATHS, &Trie::new(cgroup_paths(filter)))
}

/// Adds the existing cgroups. The hook for new ones must be attached already.
pub(super) fn note_cgroups(ebpf: &mut Ebpf, filter: &Filter, mount: &Path) -> Result<(), LoadError> {
    let failed = |source: io::Error| LoadError::Cgroup { reason: source.to_string() };
    let mut noted = BTreeMap::new();
    // Directories to visit, and the rules on them.
    let mut waiting = vec![(mount.to_owned(), bits_of_cgroup(filter, mount, mount, 0).map_err(failed)?)];
    while let Some((directory, (id, bits))) = waiting.pop() {
        if bits != 0 {
            noted.insert(id, bits);
        }
        waiting.extend(below(&directory).into_iter().filter_map(|below| {
            // A cgroup that is gone has no processes.
            let found = bits_of_cgroup(filter, mount, &below, bits).ok()?;
            Some((below, found))
        }));
    }
    for (rule, _) in filter.cgroup_rules() {
        match rule {
            CgroupRule::Id(id) if !noted.contains_key(id) => return Err(LoadError::NoCgroupId { id: *id }),
            CgroupRule::Id(_) | CgroupRule::Path(_) => {}
        }
    }
    insert(ebpf, CGROUPS, noted)
}

/// Adds the rules on images of running processes, given as process ids and paths. The hooks for processes must be attached
/// already: what they write about a process, or a later one with its id, takes precedence.
pub(super) fn note_running(
    ebpf: &mut Ebpf,
    filter: &Filter,
    running: impl Iterator<Item = (u32, Vec<u8>)>,
) -> Result<(), LoadError> {
    if filter.image_rules().next().is_none() {
        return Ok(());
    }
    let rules = Trie::new(filter.image_rules());
    let noted = running.filter_map(|(tgid, path)| {
        let bits = rules.bits(&path);
        (bits != 0).then_some((tgid, bits))
    });
    insert(ebpf, FOUND, noted)
}

fn cgroup_paths(filter: &Filter) -> impl Iterator<Item = (&PathRule, u32)> {
    filter.cgroup_rules().filter_map(|(rule, bit)| match rule {
        CgroupRule::Path(path) => Some((path, bit)),
        CgroupRule::Id(_) => None,
    })
}

/// The id of a cgroup, and the rules on it: those on its path and id, and those on its parent.
fn bits_of_cgroup(filter: &Filter, mount: &Path, directory: &Path, above: u32) -> io::Result<(u64, u32)> {
    // The inode number is the id on a 64-bit kernel.
    let id = fs::metadata(directory)?.ino();
    let path = directory.strip_prefix(mount).unwrap_or(directory).as_os_str().as_bytes();
    let path = [b"/", path].concat();
    let matches = |rule: &CgroupRule| match rule {
        CgroupRule::Path(rule) => rule.matches(&path),
        CgroupRule::Id(ruled) => *ruled == id,
    };
    let matching = filter.cgroup_rules().filter(|(rule, _)| matches(rule));
    Ok((id, matching.fold(above, |all, (_, bits)| all | bits)))
}

fn below(directory: &Path) -> Vec<PathBuf> {
    // A cgroup that is gone has no children.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn insert<K: Pod>(
    ebpf: &mut Ebpf,
    map: &'static str,
    entries: impl IntoIterator<Item = (K, u32)>,
) -> Result<(), LoadError> {
    let failed = |source: MapError| LoadError::map(map, source);
    let mut into: HashMap<_, K, u32> = open(ebpf, map)?.try_into().map_err(failed)?;
    entries.into_iter().try_for_each(|(key, bits)| into.insert(key, bits, 0)).map_err(failed)
}

fn insert_paths(ebpf: &mut Ebpf, map: &'static str, paths: &Trie) -> Result<(), LoadError> {
    let failed = |source: MapError| LoadError::map(map, source);
    let mut into: lpm_trie::LpmTrie<_, [u8; RULE_PATH_MAX], u32> =
        open(ebpf, map)?.try_into().map_err(failed)?;
    paths.entries().try_for_each(|(path, bits)| insert_path(&mut into, path, bits)).map_err(failed)
}

fn insert_path<T: BorrowMut<MapData>>(
    into: &mut lpm_trie::LpmTrie<T, [u8; RULE_PATH_MAX], u32>,
    path: &[u8],
    bits: u32,
) -> Result<(), MapError> {
    let mut bytes = [0; RULE_PATH_MAX];
    bytes.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
    let len = u32::try_from(path.len()).unwrap_or(u32::MAX);
    into.insert(&lpm_trie::Key::new(len.saturating_mul(8), bytes), bits, 0)
}

fn open<'e>(ebpf: &'e mut Ebpf, map: &'static str) -> Result<&'e mut Map, LoadError> {
    ebpf.map_mut(map).ok_or(LoadError::NoMap { map })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use collector_common::{EXCLUDE, Filters, ONLY};

    use super::{bits_of_cgroup, sizes, switches};
    use crate::filter::Filter;

    fn filter(text: &str) -> Filter {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn without_a_filter_no_switch_is_on_and_no_map_is_large() {
        assert_eq!(switches(&Filter::OFF), Filters::OFF);
        assert!(sizes(&Filter::OFF).iter().all(|(_, entries)| *entries == 1));
    }

    #[test]
    fn each_key_has_the_bits_of_its_rules() {
        let filter = filter("exclude = [\"uid=0\", \"image=/a\"]\nonly = [\"uid=1\", \"parent=/b\"]");
        let expected =
            Filters { any: 1, uids: EXCLUDE | ONLY, images: EXCLUDE, parents: ONLY, ..Filters::OFF };
        assert_eq!(switches(&filter), expected);
    }

    #[test]
    fn a_cgroup_has_the_rules_on_its_path_and_those_of_its_parent() {
        let mount = tempfile::tempdir().unwrap();
        let below = mount.path().join("a.slice/b.service");
        fs::create_dir_all(&below).unwrap();
        let bits = |text: &str, above| bits_of_cgroup(&filter(text), mount.path(), &below, above).unwrap().1;
        assert_eq!(bits("exclude = [\"cgroup=/a.slice\"]", 0), EXCLUDE);
        assert_eq!(bits("exclude = [\"cgroup=/a\"]", 0), 0);
        assert_eq!(bits("exclude = [\"cgroup=/a*\"]\nonly = [\"cgroup=/\"]", 0), EXCLUDE | ONLY);
        assert_eq!(bits("", ONLY), ONLY);
    }
}
