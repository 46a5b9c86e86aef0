//! Programs that stand by for another.
//!
//! Since Linux 7.0 a tracing program can be preempted, and while it is, the kernel runs no second one of the same program on
//! that CPU: what happens there meanwhile would be lost. So on such kernels a second program waits behind the first at each
//! hook, and tells what the first was not run for. A mark of the task, which the first leaves, says whether it was. The program
//! that follows connections has one behind it on every kernel, as interrupts run it too; that one needs no mark.
//!
//! Why that is safe: both are run by the task that the event is of, the first before the second, whatever other tasks do
//! between; and no interrupt forks, executes or exits. Only where both were skipped is an event lost. Where the second is
//! skipped behind the first, a mark stays, and one later event of that process id may be lost if the first is skipped for
//! it. Either way the first has one miss more, and the second one as well, than it was stood in for. Not told would be an
//! event of a task whose last one was in the moment between the two being attached, if the first is skipped for it.

use aya_ebpf::{
    Global,
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, PerCpuArray},
};
use collector_common::{Kind, PIDS_IN_A_PAGE};

use crate::emit;

/// Programs at a hook of processes: 2 where one stands by, else 1. Read-only data, so that the verifier knows it.
#[unsafe(no_mangle)]
static PROGRAMS_AT_A_HOOK: Global<u32> = Global::new(1);

/// A byte for each process id there can be, in pages: 1 between the runs of the two programs. The loader makes as many
/// pages as are needed where programs stand by.
#[map]
static MARKS: Array<[u8; PIDS_IN_A_PAGE]> = Array::with_max_entries(1, 0);

/// How often a second program told what the first was not run for, by [`Kind::index`].
#[map]
static STOOD_IN: PerCpuArray<[u64; Kind::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// Which of the two programs at a hook this is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    First,
    Second,
}

impl Turn {
    /// Whether this program is to tell what the current task does, an event of this kind.
    #[inline(always)]
    pub fn is_mine(self, kind: Kind) -> bool {
        if programs_at_a_hook() == 1 {
            return true;
        }
        let Some(mark) = mark() else { return self == Self::First };
        // SAFETY: the byte is this task's own, in the map for good, and nobody else reads or writes it: neither another
        // task nor an interrupt has this task's id and runs these programs.
        let was_marked = unsafe { mark.replace(u8::from(self == Self::First)) };
        let is_mine = self == Self::First || was_marked == 0;
        if is_mine {
            self.stands_in(kind);
        }
        is_mine
    }

    /// Counts what this program tells, where it is the second.
    #[inline(always)]
    pub fn stands_in(self, kind: Kind) {
        if self == Self::Second
            && let Some(counts) = STOOD_IN.get_ptr_mut(0)
        {
            // SAFETY: the place is one of the map's integers, which are aligned.
            unsafe { emit::add_one(counts.cast::<u64>().add(kind.index())) };
        }
    }

    /// Where this program's own place is among those of a CPU.
    #[inline(always)]
    pub fn place(self, cpu: u32) -> u32 {
        cpu * programs_at_a_hook() + u32::from(self == Self::Second) * (programs_at_a_hook() - 1)
    }
}

#[inline(always)]
fn programs_at_a_hook() -> u32 {
    PROGRAMS_AT_A_HOOK.load()
}

#[inline(always)]
fn mark() -> Option<*mut u8> {
    let id = bpf_get_current_pid_tgid() as u32;
    let page = MARKS.get_ptr_mut(id / PIDS_IN_A_PAGE as u32)?;
    // SAFETY: the place is below `PIDS_IN_A_PAGE`, and so in the page.
    Some(unsafe { page.cast::<u8>().add(id as usize % PIDS_IN_A_PAGE) })
}
