//! The maps of filters, and the switches that the loader sets. Each map has room for one entry, unless the loader
//! enlarges it because there are filters.

use core::ptr;

use aya_ebpf::{
    Global,
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, lpm_trie::Key},
};
use collector_common::{COMM_LEN, Filters, PIDS_IN_A_PAGE, RULE_PATH_MAX};

/// Which filters exist: see [`Filters`].
#[unsafe(no_mangle)]
pub static FILTERS: Global<Filters> = Global::new(Filters::OFF);

/// Bits of rules by effective user id. Written by the loader alone, as are the next three maps.
#[map]
static UIDS: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);

/// Rules by name.
#[map]
static COMMS: HashMap<[u8; COMM_LEN], u32> = HashMap::with_max_entries(1, 0);

/// Rules by the path of an image, with those on a parent's image in the upper bits. The longest prefix includes the
/// bits of the shorter ones.
#[map]
static PATHS: LpmTrie<[u8; RULE_PATH_MAX], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Rules by the path of a cgroup, in the same way.
#[map]
static CGROUP_PATHS: LpmTrie<[u8; RULE_PATH_MAX], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Cgroups that match a rule, by id. The loader adds those that exist; the programs add those that are made later.
#[map]
static CGROUPS: HashMap<u64, u32> = HashMap::with_max_entries(1, 0);

/// Rules that match the image of a process that ran before the agent, by process id. Written by the loader alone. An
/// entry holds until the process, or the next one with its id, has a state in [`STATES`].
#[map]
static FOUND: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);

/// A byte for each possible process id, in pages: rules and decision of its last fork or exec; 0 if neither was seen.
/// An array, because it must neither forget nor fill up.
#[map]
static STATES: Array<[u8; PIDS_IN_A_PAGE]> = Array::with_max_entries(1, 0);

/// When the next exec of an image is due, in nanoseconds since boot.
#[map]
static DUE: LruHashMap<ImageKey, u64> = LruHashMap::with_max_entries(1, 0);

/// A path as the key of a trie: the number of its bits, then its bytes.
pub type PathKey = Key<[u8; RULE_PATH_MAX]>;

/// The file of an image. Without change time and generation: a rewritten file keeps its limit.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ImageKey {
    /// Its inode number.
    pub inode: u64,
    /// Its device.
    pub device: u32,
    /// Zero: all bytes of a key are compared.
    pub reserved: u32,
}

/// The switches. Each is read where it is used, so that the verifier knows it as a constant.
#[inline(always)]
pub fn filters() -> *const Filters {
    ptr::from_ref(&FILTERS).cast()
}

/// Reads one of the switches.
macro_rules! filter {
    ($switch:ident) => {{
        let filters = $crate::maps::filters::filters();
        // SAFETY: `FILTERS` is a static `Filters` behind a transparent wrapper; the projection stays inside it.
        #[expect(unsafe_code, reason = "the macro's own, wherever it is used")]
        let switch = unsafe { &raw const (*filters).$switch };
        // SAFETY: the switch is an initialised integer. Volatile, so that the compiler does not take the value of the
        // initialiser, which the loader replaces.
        #[expect(unsafe_code, reason = "the macro's own, wherever it is used")]
        let value = unsafe { core::ptr::read_volatile(switch) };
        value
    }};
}

pub(crate) use filter;

/// The bits that a map has for a key; 0 if it has none.
macro_rules! bits {
    ($map:ident, $key:expr) => {
        match $map.get_ptr($key) {
            // SAFETY: the map's values are `u32`, and nothing is removed whose memory could become something else.
            Some(bits) => unsafe { *bits },
            None => 0,
        }
    };
}

/// The rules on a user id.
#[inline(always)]
pub fn uid_rules(uid: u32) -> u32 {
    bits!(UIDS, uid)
}

/// The rules on a name that is padded with zeros.
#[inline(always)]
pub fn comm_rules(comm: &[u8; COMM_LEN]) -> u32 {
    bits!(COMMS, comm)
}

/// The rules on a cgroup.
#[inline(always)]
pub fn cgroup_rules(id: u64) -> u32 {
    bits!(CGROUPS, id)
}

/// The rules on the image of a process that ran before the agent.
#[inline(always)]
pub fn found_rules(tgid: u32) -> u32 {
    bits!(FOUND, tgid)
}

/// The rules on the path of an image.
#[inline(always)]
pub fn path_rules(path: &PathKey) -> u32 {
    PATHS.get(path).copied().unwrap_or(0)
}

/// The rules on the path of a cgroup.
#[inline(always)]
pub fn cgroup_path_rules(path: &PathKey) -> u32 {
    CGROUP_PATHS.get(path).copied().unwrap_or(0)
}

/// Notes the rules on a new cgroup. If the map is full, no rule applies to it.
#[inline(always)]
pub fn note_cgroup(id: u64, rules: u32) {
    let _ = CGROUPS.insert(id, rules, 0);
}

/// Forgets a cgroup that is gone.
#[inline(always)]
pub fn forget_cgroup(id: u64) {
    let _ = CGROUPS.remove(id);
}

/// The byte of a process; 0 if nothing is known.
#[inline(always)]
pub fn state(tgid: u32) -> u8 {
    // SAFETY: the place is a byte of the map's value.
    place(tgid).map_or(0, |place| unsafe { *place })
}

/// Sets the byte of a process.
#[inline(always)]
pub fn set_state(tgid: u32, state: u8) {
    if let Some(place) = place(tgid) {
        // SAFETY: the place is a byte of the map's value; a byte is written whole, so a concurrent reader sees the
        // old or the new one.
        unsafe { *place = state };
    }
}

#[inline(always)]
fn place(tgid: u32) -> Option<*mut u8> {
    let page = STATES.get_ptr_mut(tgid / PIDS_IN_A_PAGE as u32)?;
    // SAFETY: the map's values are pages of that many bytes, and the remainder is below.
    Some(unsafe { page.cast::<u8>().add(tgid as usize % PIDS_IN_A_PAGE) })
}

/// Counts an exec of an image. Returns `true`, and does not count it, if the image is over the limit.
///
/// The only state of an image is when its next exec is due. Each exec moves that time on by `interval`; one that
/// comes more than `slack` early is over the limit. Two CPUs that run one image at the same moment may count as one
/// exec: Linux 5.10 has no atomic exchange of a map's value.
#[inline(always)]
pub fn over_limit(image: ImageKey, now: u64, interval: u64, slack: u64) -> bool {
    let Some(due) = DUE.get_ptr_mut(image) else {
        let _ = DUE.insert(image, now.wrapping_add(interval), 0);
        return false;
    };
    // SAFETY: the map's values are `u64`, 8-aligned. An entry that is reused at this moment costs a wrong time, no
    // more.
    let before = unsafe { *due };
    let begin = if before > now { before } else { now };
    if begin.wrapping_sub(now) > slack {
        return true;
    }
    // SAFETY: the same.
    unsafe { *due = begin.wrapping_add(interval) };
    false
}
