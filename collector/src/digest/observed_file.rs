//! A file as it was at one moment, and what a later look at the file can prove about it.
//!
//! The kernel side sends device, inode, size and change time at an exec. They identify the bytes only as far as every change
//! of the bytes moves the change time. Two things prevent that:
//!
//! - Change times are coarse: two writes in one tick of the kernel's clock leave the same time (since Linux 6.13 only if
//!   no process read the time between them). So a file observed within a tick of its change time is *fresh*: it may have been
//!   written to once more since, and nothing shows it. Only a process that runs the file proves a fresh one. If a tick was
//!   delayed at the exec, nothing shows that. `bpf_ktime_get_coarse_ns` (5.11) would, but tracing programs may not call it
//!   since 5.16 (5e0bc3082e2e). `bpf_jiffies64` counts ticks, but its offset to the wall clock would have to be measured, and
//!   it advances a moment before the wall clock does.
//! - A file system that a user serves or mounted (FUSE, or anything mounted in another user namespace) reports what that user
//!   likes, and its device number is another one's the moment after. So a *foreign* file is read again for each exec.

use std::{sync::OnceLock, time::Duration};

use collector_common::FileIdentity;
use rustix::time::{ClockId, clock_getres};

use crate::{checksum::Algorithms, clock::ticked_wall_ns, event::Timestamp};

/// Between the kernel's clocks as this agent compares them: see [`WallClock::follow`](crate::clock::WallClock::follow).
const CLOCKS_APART: Duration = Duration::from_millis(2);
/// The coarsest times that a file system keeps: those of FAT.
const COARSEST: Duration = Duration::from_secs(2);

/// A file as it was at one moment: at an exec, as the kernel side saw it, or when /proc was asked.
#[derive(Clone, Copy, Debug)]
pub struct ObservedFile {
    /// Its identity.
    pub file: FileIdentity,
    /// When it was observed, in nanoseconds since boot.
    pub at_ns: u64,
    /// Whether it was changed so shortly before that a later change may not show.
    fresh: bool,
}

impl ObservedFile {
    /// A file at a moment, which is given since boot and as wall time.
    #[must_use]
    pub fn new(file: FileIdentity, at_ns: u64, at: Timestamp) -> Self {
        let apart = Duration::from_nanos(at.0.abs_diff(changed_ns(&file)));
        let shows_changes = file.flags & FileIdentity::CTIME_QUERIED != 0;
        Self { file, at_ns, fresh: !shows_changes && apart <= granularity(&file) + CLOCKS_APART }
    }

    /// Whether the change time does not prove the bytes.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether a user controls what the file system reports.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.file.flags & FileIdentity::FOREIGN != 0
    }

    /// Whether a read of it may never return.
    pub(super) fn may_hang(&self) -> bool {
        self.file.flags & (FileIdentity::FOREIGN | FileIdentity::REMOTE) != 0
    }

    /// Key of its digests in the cache.
    pub(super) fn key(&self, algorithms: Algorithms) -> Key {
        let FileIdentity { device, inode, size, ctime_s, ctime_ns, generation, .. } = self.file;
        let alone = self.is_foreign().then_some(self.at_ns);
        Key { device, inode, size, ctime_s, ctime_ns, generation, algorithms, alone }
    }
}

/// Key of digests in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    device: u32,
    inode: u64,
    size: u64,
    ctime_s: i64,
    ctime_ns: u32,
    /// Tells this file from another one that got its inode number in the same tick of the clock.
    generation: u32,
    /// A reload may add an algorithm: digests that lack it are computed again.
    algorithms: Algorithms,
    /// When a foreign file was observed: it shares digests only with processes that run the image of the same exec.
    alone: Option<u64>,
}

/// Waits until a change of the file would get another change time than its last one. Polls the coarse clock that stamps
/// ctime; false if it does not advance.
pub(super) fn settle(file: &FileIdentity) -> bool {
    settle_by(file, ticked_wall_ns, std::thread::sleep)
}

fn settle_by(file: &FileIdentity, clock: impl Fn() -> i64, wait: impl Fn(Duration)) -> bool {
    // Ticks may be late, but not by this many.
    const TRIES: u32 = 8;
    let changed_ns = changed_ns(file);
    let kept = if in_whole_seconds(file) { COARSEST } else { Duration::ZERO };
    for _ in 0..TRIES {
        let now_ns = clock();
        let apart = Duration::from_nanos(now_ns.abs_diff(changed_ns));
        let is_past = now_ns > changed_ns && apart > kept;
        // The clock was set back: a change now gets a time far before the last one.
        if is_past || apart > granularity(file) + CLOCKS_APART {
            return true;
        }
        let left = if now_ns > changed_ns { kept.saturating_sub(apart) } else { kept + apart };
        wait(left + tick());
    }
    false
}

fn changed_ns(file: &FileIdentity) -> i64 {
    file.ctime_s.saturating_mul(1_000_000_000).saturating_add(file.ctime_ns.into())
}

/// The largest distance of two changes that leave the same time.
fn granularity(file: &FileIdentity) -> Duration {
    if in_whole_seconds(file) { COARSEST } else { tick() }
}

/// A file system that stores whole seconds reports no nanoseconds.
fn in_whole_seconds(file: &FileIdentity) -> bool {
    file.ctime_ns == 0
}

fn tick() -> Duration {
    static TICK: OnceLock<Duration> = OnceLock::new();
    *TICK.get_or_init(|| Duration::try_from(clock_getres(ClockId::RealtimeCoarse)).unwrap_or(COARSEST))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use collector_common::FileIdentity;

    use super::{ObservedFile, settle_by};
    use crate::{checksum::Algorithms, event::Timestamp};

    const SECOND: i64 = 1_000_000_000;

    /// A file that was changed 1,000.5 seconds after 1970 and observed `seen_later_ns` later.
    #[track_caller]
    fn check(ctime_ns: u32, flags: u16, seen_later_ns: i64, fresh: bool) {
        let file = FileIdentity { ctime_s: 1000, ctime_ns, flags, ..FileIdentity::default() };
        let at = 1000 * SECOND + i64::from(ctime_ns) + seen_later_ns;
        assert_eq!(ObservedFile::new(file, 0, Timestamp(at)).is_fresh(), fresh);
    }

    #[test]
    fn a_file_that_changed_within_a_tick_is_fresh() {
        check(500_000_000, 0, 0, true);
        check(500_000_000, 0, 1_000_000, true);
        check(500_000_000, 0, SECOND / 20, false);
    }

    /// A file that was changed when the coarse clock stood at 0: whether it settles, and how often the clock was read.
    fn settles(ctime_ns: u32, clock_ns: &[i64]) -> (bool, usize) {
        let file = FileIdentity { ctime_s: 1000, ctime_ns, ..FileIdentity::default() };
        let looks = Cell::new(0);
        let clock = || {
            let look = looks.replace(looks.get() + 1);
            1000 * SECOND + i64::from(ctime_ns) + clock_ns.get(look).or(clock_ns.last()).unwrap()
        };
        (settle_by(&file, clock, |_| ()), looks.get())
    }

    #[test]
    fn settling_waits_for_a_delayed_tick() {
        assert_eq!(settles(500_000_000, &[0, 0, 0, 4_000_000]), (true, 4));
        assert_eq!(settles(500_000_000, &[1]), (true, 1));
        assert!(!settles(500_000_000, &[0]).0);
    }

    #[test]
    fn settling_waits_longer_on_a_file_system_of_whole_seconds() {
        assert_eq!(settles(0, &[0, SECOND, 3 * SECOND]), (true, 3));
    }

    #[test]
    fn settling_waits_for_a_time_slightly_ahead_and_ignores_one_far_ahead() {
        assert_eq!(settles(500_000_000, &[-1_000_000, 0, 4_000_000]), (true, 3));
        assert_eq!(settles(500_000_000, &[-SECOND]), (true, 1));
    }

    #[test]
    fn a_file_whose_change_time_was_read_shows_its_next_change() {
        check(500_000_000, FileIdentity::CTIME_QUERIED, 0, false);
    }

    #[test]
    fn a_change_time_far_ahead_of_the_clock_is_not_fresh() {
        check(500_000_000, 0, -SECOND, false);
    }

    #[test]
    fn files_stay_fresh_longer_on_a_file_system_of_whole_seconds() {
        check(0, 0, SECOND, true);
        check(0, 0, 3 * SECOND, false);
    }

    #[test]
    fn a_foreign_file_shares_no_digest_with_another_exec() {
        let key = |flags, at_ns| {
            let file = FileIdentity { flags, ..FileIdentity::default() };
            ObservedFile::new(file, at_ns, Timestamp(SECOND)).key(Algorithms::ALL)
        };
        assert_eq!(key(0, 1), key(0, 2));
        assert_ne!(key(FileIdentity::FOREIGN, 1), key(FileIdentity::FOREIGN, 2));
    }
}
