//! The maps of filters, and the switches that the loader sets. Each map has room for one entry until the loader, where there
//! are filters, gives it more.

use core::ptr;

use aya_ebpf::{
    Global,
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, lpm_trie::Key},
};
use collector_common::{COMM_LEN, Filters, PIDS_IN_A_PAGE, RULE_PATH_MAX};

/// Which filters there are: see [`Filters`].
#[unsafe(no_mangle)]
pub static FILTERS: Global<Filters> = Global::new(Filters::OFF);

/// Rules by effective user id, as their bits; written by the loader alone, as are the next three.
#[map]
static UIDS: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);

/// Rules by name.
#[map]
static COMMS: HashMap<[u8; COMM_LEN], u32> = HashMap::with_max_entries(1, 0);

/// Rules by the path of an image, with those on a parent's behind them. The longest prefix has the bits of the shorter ones.
#[map]
static PATHS: LpmTrie<[u8; RULE_PATH_MAX], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Rules by the path of a cgroup, the same way.
#[map]
static CGROUP_PATHS: LpmTrie<[u8; RULE_PATH_MAX], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Cgroups that match a rule, by id: those that were there, by the loader, and those that are made later.
#[map]
static CGROUPS: HashMap<u64, u32> = HashMap::with_max_entries(1, 0);

/// What the path of its image says of a process that ran before the agent, by its id; written by the loader alone. It
/// holds until the process, or the next one of its id, has a state in [`STATES`].
#[map]
static FOUND: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);

/// A byte for each process id there can be, in pages: what was found and decided at its last fork or exec. 0 where neither
/// was seen. An array, as it must not forget, nor be full.
#[map]
static STATES: Array<[u8; PIDS_IN_A_PAGE]> = Array::with_max_entries(1, 0);

/// When the next execution of an image is due, in nanoseconds since boot.
#[map]
static DUE: LruHashMap<ImageKey, u64> = LruHashMap::with_max_entries(1, 0);

/// A path as a trie takes it: the number of its bits, then its bytes.
pub type PathKey = Key<[u8; RULE_PATH_MAX]>;

/// The file of an image. Not its change time, nor its generation: a file that is written anew keeps its limit.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ImageKey {
    /// Its inode number.
    pub inode: u64,
    /// Its device.
    pub device: u32,
    /// Zero; a key is compared with all its bytes.
    pub reserved: u32,
}

/// The switches, each read where it is used: the verifier then knows it as a constant.
#[inline(always)]
pub fn filters() -> *const Filters {
    ptr::from_ref(&FILTERS).cast()
}

/// Reads one of the switches.
macro_rules! filter {
    ($switch:ident) => {{
        let filters = $crate::maps::filters::filters();
        // SAFETY: `FILTERS` is a static `Filters` behind a transparent wrapper; the projection stays inside it.
        let switch = unsafe { &raw const (*filters).$switch };
        // SAFETY: the switch is an initialised integer. Volatile, so that the compiler does not take the value of the
        // initialiser, which the loader replaces.
        unsafe { core::ptr::read_volatile(switch) }
    }};
}

pub(crate) use filter;

/// The bits that a map has for a key; none where it has nothing.
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

/// The rules on a name, with zeros behind it.
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

/// Notes the rules on a cgroup that was just made. Where there is no room it is as if none matched.
#[inline(always)]
pub fn note_cgroup(id: u64, rules: u32) {
    let _ = CGROUPS.insert(id, rules, 0);
}

/// Forgets a cgroup that is gone.
#[inline(always)]
pub fn forget_cgroup(id: u64) {
    let _ = CGROUPS.remove(id);
}

/// The byte of a process; 0 where nothing is known.
#[inline(always)]
pub fn state(tgid: u32) -> u8 {
    // SAFETY: the place is a byte of the map's value.
    place(tgid).map_or(0, |place| unsafe { *place })
}

/// Sets the byte of a process.
#[inline(always)]
pub fn set_state(tgid: u32, state: u8) {
    if let Some(place) = place(tgid) {
        // SAFETY: the place is a byte of the map's value; a byte is written whole, whoever reads it meanwhile.
        unsafe { *place = state };
    }
}

#[inline(always)]
fn place(tgid: u32) -> Option<*mut u8> {
    let page = STATES.get_ptr_mut(tgid / PIDS_IN_A_PAGE as u32)?;
    // SAFETY: the map's values are pages of that many bytes, and the remainder is below.
    Some(unsafe { page.cast::<u8>().add(tgid as usize % PIDS_IN_A_PAGE) })
}

/// Takes an execution of an image into account; answers whether it is over the limit, and then it was not taken.
///
/// One time is all that is kept of an image: when its next execution is due. Each moves it on by `interval`, and one that
/// comes more than `slack` sooner is over the limit. Two CPUs that run one image at the same moment may count as one:
/// Linux 5.10 has nothing that exchanges a value of a map at once.
#[inline(always)]
pub fn over_limit(image: ImageKey, now: u64, interval: u64, slack: u64) -> bool {
    let Some(due) = DUE.get_ptr_mut(image) else {
        let _ = DUE.insert(image, now.wrapping_add(interval), 0);
        return false;
    };
    // SAFETY: the map's values are `u64`, 8-aligned. An entry that is reused meanwhile costs a wrong time, no more.
    let before = unsafe { *due };
    let begin = if before > now { before } else { now };
    if begin.wrapping_sub(now) > slack {
        return true;
    }
    // SAFETY: the same.
    unsafe { *due = begin.wrapping_add(interval) };
    false
}
