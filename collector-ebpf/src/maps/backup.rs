//! Backup programs: a second program at a hook reports the events for which the kernel did not run the first.
//!
//! Since Linux 7.0 a tracing program can be preempted. While it is, the kernel does not run the same program again on
//! that CPU, so events of that time would be lost. On these kernels a backup runs behind the primary program of each
//! hook. The primary marks the task; a missing mark shows the backup that the primary did not run. The program that
//! follows connections has a backup on every kernel, because interrupts run it too; that backup needs no mark.
//!
//! This is safe because the task of the event runs both programs, the primary first, whatever other tasks do in
//! between; and no interrupt forks, executes or exits. An event is lost only if both programs were skipped. If the
//! backup alone was skipped, its mark stays, and a later event of that process id is lost if the primary is skipped
//! for it. In both cases the primary has one more miss than the backup has reports, and the backup has a miss as
//! well, so the loss is counted. One event can be missed without a count if the task's previous event fell between
//! the two attachments and the primary is skipped.

use aya_ebpf::{
    Global,
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, PerCpuArray},
};
use collector_common::{Kind, PIDS_IN_A_PAGE};

use super::counts::add_one;

/// Programs at a hook of processes: 2 with a backup, else 1. Read-only data, so that the verifier knows it.
#[unsafe(no_mangle)]
static PROGRAMS_AT_A_HOOK: Global<u32> = Global::new(1);

/// A byte for each possible process id, in pages: 1 between the runs of the two programs. The loader makes as many
/// pages as the backups need.
#[map]
static MARKS: Array<[u8; PIDS_IN_A_PAGE]> = Array::with_max_entries(1, 0);

/// Events that a backup reported because the primary did not run, by [`Kind::index`].
#[map]
static BACKUP_REPORTS: PerCpuArray<[u64; Kind::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// Which of the two programs at a hook this is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Primary,
    Backup,
}

impl Role {
    /// Whether this program reports the current event, which is of this kind.
    #[inline(always)]
    pub fn is_mine(self, kind: Kind) -> bool {
        if programs_at_a_hook() == 1 {
            return true;
        }
        let Some(mark) = mark() else { return self == Self::Primary };
        // SAFETY: the byte belongs to this task and is never removed. Nothing else accesses it: no other task and no
        // interrupt has this task's id and runs these programs.
        let was_marked = unsafe { mark.replace(u8::from(self == Self::Primary)) };
        let is_mine = self == Self::Primary || was_marked == 0;
        if is_mine {
            self.count_backup(kind);
        }
        is_mine
    }

    /// Counts an event that this program reports, if it is the backup.
    #[inline(always)]
    pub fn count_backup(self, kind: Kind) {
        if self == Self::Backup
            && let Some(counts) = BACKUP_REPORTS.get_ptr_mut(0)
        {
            // SAFETY: the place is one of the map's integers, which are aligned.
            unsafe { add_one(counts.cast::<u64>().add(kind.index())) };
        }
    }

    /// The index of this program's entry in maps that have one for each program and CPU.
    #[inline(always)]
    pub fn place(self, cpu: u32) -> u32 {
        cpu * programs_at_a_hook() + u32::from(self == Self::Backup) * (programs_at_a_hook() - 1)
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
