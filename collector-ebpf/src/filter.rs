//! Which records are reported: rules on users, cgroups, names, images and parents, and a limit for each image.
//!
//! - A fork, an exec and a process of the snapshot are judged by what the process is at that moment.
//! - An exit follows the last fork or exec of its process, so a reported process has a reported end.
//! - A connect is judged at its own moment: the process may have changed its user, name or cgroup since. The rules on
//!   its image are those of its last exec or fork, and so are those on its parent.
//!
//! A fork, exec or exit that is filtered out is sent all the same, marked: the process table must know parents and
//! images.
//!
//! With all switches off, the verifier leaves one load and one jump of this in each program.

use core::mem::offset_of;

use collector_common::{Credentials, EXCLUDE, Fate, ONLY, PARENT_SHIFT, RULE_PATH_MAX};

use crate::{
    kernel::{Address, offset, task},
    maps::{
        ExecScratch,
        filters::{
            ImageKey, PathKey, cgroup_path_rules, cgroup_rules, comm_rules, filter, forget_cgroup,
            found_rules, note_cgroup, over_limit, path_rules, set_state, state, uid_rules,
        },
    },
};

/// In the byte of a process: its fate at its last fork or exec; 0 if neither was seen.
const FATE: u8 = 0b11;
const REPORTED: u8 = 1;
const BY_RULE: u8 = 2;
const BY_LIMIT: u8 = 3;
/// Then the four bits of rules on its image, as itself and as a parent.
const IMAGE_SHIFT: u8 = 2;
const IMAGE: u8 = 0b1111;
/// Then the two bits of rules on its parent's image.
const OF_PARENT_SHIFT: u8 = 6;

/// A process was forked: it runs the image of `forker`. If that was over the limit, the child is too.
#[inline(always)]
pub fn fork(forker: Address, child: Address) -> Fate {
    if filter!(any) == 0 {
        return Fate::Reported;
    }
    let forker: u32 = forker.read(offset!(task_tgid));
    let (image, parent) = (image_of(forker), parent_of(child));
    let fate = if state(forker) & FATE == BY_LIMIT {
        Fate::ByLimit
    } else if is_filtered_out(child, image, parent) {
        Fate::ByRule
    } else {
        Fate::Reported
    };
    settle(child, fate, image, parent)
}

/// A process replaced its image. An exec that a rule filters out does not count for the limit.
#[inline(always)]
pub fn exec(process: Address, scratch: &mut ExecScratch) -> Fate {
    if filter!(any) == 0 {
        return Fate::Reported;
    }
    let (image, parent) = (image_rules(scratch), parent_of(process));
    let fate = if is_filtered_out(process, image, parent) {
        Fate::ByRule
    } else if is_over_limit(scratch) {
        Fate::ByLimit
    } else {
        Fate::Reported
    };
    settle(process, fate, image, parent)
}

/// A process ended.
#[inline(always)]
pub fn exit(process: Address) -> Fate {
    if filter!(any) == 0 {
        return Fate::Reported;
    }
    match state(process.read(offset!(task_tgid))) & FATE {
        REPORTED => Fate::Reported,
        BY_RULE => Fate::ByRule,
        BY_LIMIT => Fate::ByLimit,
        _ => found(process),
    }
}

/// A process began a connection.
#[inline(always)]
pub fn connect(process: Address) -> Fate {
    if filter!(any) == 0 {
        return Fate::Reported;
    }
    let known = state(process.read(offset!(task_tgid)));
    match known & FATE {
        BY_LIMIT => Fate::ByLimit,
        0 => found(process),
        _ => judge(process, image_in(known), (known >> OF_PARENT_SHIFT) as u32),
    }
}

/// A process whose fork and exec the kernel side did not see.
#[inline(always)]
pub fn found(process: Address) -> Fate {
    if filter!(any) == 0 {
        return Fate::Reported;
    }
    judge(process, image_of(process.read(offset!(task_tgid))), parent_of(process))
}

/// A cgroup was made. The rules of its parent and those on its path apply to it. A cgroup that is made again has a
/// new id.
#[inline(always)]
pub fn cgroup_made(cgroup: Address, path: Address) {
    if !is_of_version_2(cgroup) {
        return;
    }
    let mut key = PathKey::new(0, [0; RULE_PATH_MAX]);
    let len = path.copy_string_to(&mut key.data);
    end(&mut key, len);
    let above = cgroup.follow(offset!(cgroup_parent)).follow(offset!(css_cgroup));
    let rules = cgroup_path_rules(&key) | cgroup_rules(task::id_of_cgroup(above));
    if rules != 0 {
        note_cgroup(task::id_of_cgroup(cgroup), rules);
    }
}

/// A cgroup was removed; no process is in it.
#[inline(always)]
pub fn cgroup_gone(cgroup: Address) {
    if is_of_version_2(cgroup) {
        forget_cgroup(task::id_of_cgroup(cgroup));
    }
}

/// Cgroups of version 1 have ids of their own, which are ignored. There is one hierarchy of version 2, and every task
/// is in it.
#[inline(always)]
fn is_of_version_2(cgroup: Address) -> bool {
    cgroup.follow(offset!(cgroup_root)) == task::cgroup(task::current()).follow(offset!(cgroup_root))
}

/// Keeps the rules and the decision until the next fork or exec of this process id.
#[inline(always)]
fn settle(process: Address, fate: Fate, image: u32, parent: u32) -> Fate {
    let decided = match fate {
        Fate::Reported => REPORTED,
        Fate::ByRule => BY_RULE,
        Fate::ByLimit => BY_LIMIT,
    };
    let known = decided | (image as u8 & IMAGE) << IMAGE_SHIFT | (parent as u8) << OF_PARENT_SHIFT;
    set_state(process.read(offset!(task_tgid)), known);
    fate
}

#[inline(always)]
fn judge(process: Address, image: u32, parent: u32) -> Fate {
    if is_filtered_out(process, image, parent) { Fate::ByRule } else { Fate::Reported }
}

/// Whether a rule filters out a process as it is now. `image` and `parent` are the bits of the rules that match
/// those.
#[inline(always)]
fn is_filtered_out(process: Address, image: u32, parent: u32) -> bool {
    let mut filtered_out = false;
    if filter!(uids) != 0 {
        let euid = offset!(cred_uid) + offset_of!(Credentials, euid) as u32;
        filtered_out |= filters_out(filter!(uids), uid_rules(process.follow(offset!(task_cred)).read(euid)));
    }
    if filter!(cgroups) != 0 {
        let id = task::id_of_cgroup(task::cgroup(process));
        filtered_out |= filters_out(filter!(cgroups), cgroup_rules(id));
    }
    if filter!(comms) != 0 {
        let leader = process.follow(offset!(task_group_leader));
        let mut comm = [0; _];
        // Copied as a string: bytes behind the end of a name may be left over from a longer name before.
        leader.plus(offset!(task_comm)).copy_string_to(&mut comm);
        filtered_out |= filters_out(filter!(comms), comm_rules(&comm));
    }
    filtered_out |= filters_out(filter!(images), image);
    filtered_out |= filters_out(filter!(parents), parent);
    filtered_out
}

/// `key` says which rules exist for a key, and `found` which of them match.
#[inline(always)]
fn filters_out(key: u32, found: u32) -> bool {
    found & key & EXCLUDE != 0 || key & !found & ONLY != 0
}

/// The rules on the image that a process runs.
#[inline(always)]
fn image_of(tgid: u32) -> u32 {
    if filter!(images) | filter!(parents) == 0 {
        return 0;
    }
    match state(tgid) {
        0 => found_rules(tgid),
        known => image_in(known),
    }
}

/// The rules on the image, from the byte of a process.
#[inline(always)]
fn image_in(known: u8) -> u32 {
    (known >> IMAGE_SHIFT & IMAGE) as u32
}

/// The rules on the image that the parent of a process runs.
#[inline(always)]
fn parent_of(process: Address) -> u32 {
    if filter!(parents) == 0 {
        return 0;
    }
    image_of(process.follow(offset!(task_real_parent)).read(offset!(task_tgid))) >> PARENT_SHIFT
}

/// The rules on the image of an exec, by its path, which is the first piece. A path that was cut matches no rule.
#[inline(always)]
fn image_rules(scratch: &mut ExecScratch) -> u32 {
    if filter!(images) | filter!(parents) == 0 || !scratch.record.path.is_whole() {
        return 0;
    }
    let from = Address(core::ptr::from_ref(&scratch.pieces) as u64);
    from.copy_bytes_to(&mut scratch.path_key.data);
    end(&mut scratch.path_key, scratch.record.path.len);
    path_rules(&scratch.path_key)
}

/// Appends a `/` to a path of this length if there is room: a rule on a directory ends with one, so it does not match
/// a longer name with the same beginning.
#[inline(always)]
fn end(key: &mut PathKey, len: u32) {
    key.prefix_len = 8 * RULE_PATH_MAX as u32;
    if len < RULE_PATH_MAX as u32 {
        key.data[len as usize % RULE_PATH_MAX] = b'/';
        key.prefix_len = 8 * (len + 1);
    }
}

#[inline(always)]
fn is_over_limit(scratch: &ExecScratch) -> bool {
    let interval = filter!(limit_interval_ns);
    if interval == 0 {
        return false;
    }
    let file = &scratch.record.exe;
    let image = ImageKey { inode: file.inode, device: file.device, reserved: 0 };
    over_limit(image, scratch.record.header.time_ns, interval, filter!(limit_slack_ns))
}
