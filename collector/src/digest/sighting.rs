//! A file as it was at one moment, and what of that a later look at the file can prove.
//!
//! What the kernel side tells at an exec (device, inode, size, change time) names bytes only as far as a change of them
//! changes the change time. Two things stand in the way of that:
//!
//! - Change times are coarse: two writes in one tick of the kernel's clock leave the same one, since Linux 6.13 only if
//!   nobody was told the time between them. So a sighting within a tick of the change time is *fresh*: the file may have
//!   been written to once more since, and nothing shows it. Only a process that runs the file proves a fresh one. Where
//!   a tick was held up at the exec, nothing tells. `bpf_ktime_get_coarse_ns` (5.11) would, but tracing programs may not call
//!   it since 5.16 (5e0bc3082e2e). `bpf_jiffies64` counts ticks, but how they stand to the wall clock would have to be
//!   measured, and they go on a moment before it does.
//! - A file system that a user serves or mounted (FUSE, or anything mounted in another user namespace) tells what that
//!   user likes, and its device number is another's the moment after. So a *foreign* file is read anew for each exec.

use std::{sync::OnceLock, time::Duration};

use collector_common::FileIdentity;
use rustix::time::{ClockId, clock_getres};

use super::Algorithms;
use crate::{clock::ticked_wall_ns, event::Timestamp};

/// Between the kernel's clocks as this agent compares them: see [`WallClock::follow`](crate::clock::WallClock::follow).
const CLOCKS_APART: Duration = Duration::from_millis(2);
/// The coarsest times that a file system keeps: those of FAT.
const COARSEST: Duration = Duration::from_secs(2);

/// A file as it was at one moment: at an exec, as the kernel side saw it, or when /proc was asked.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// What it was.
    pub file: FileIdentity,
    /// When, in nanoseconds since boot.
    pub at_ns: u64,
    /// Whether it had been changed so shortly before that a change after it may not show.
    fresh: bool,
}

impl Sighting {
    /// Of a file at a moment, which is given since boot and as wall time.
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

    /// Whether a user makes what the file system says.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.file.flags & FileIdentity::FOREIGN != 0
    }

    /// Whether reading it may take for ever.
    pub(super) fn may_hang(&self) -> bool {
        self.file.flags & (FileIdentity::FOREIGN | FileIdentity::REMOTE) != 0
    }

    /// What its digests are remembered by.
    pub(super) fn key(&self, algorithms: Algorithms) -> Key {
        let FileIdentity { device, inode, size, ctime_s, ctime_ns, generation, .. } = self.file;
        let alone = self.is_foreign().then_some(self.at_ns);
        Key { device, inode, size, ctime_s, ctime_ns, generation, algorithms, alone }
    }
}

/// What digests are remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    device: u32,
    inode: u64,
    size: u64,
    ctime_s: i64,
    ctime_ns: u32,
    /// Another file with this inode number, made in the same tick of the clock, has another.
    generation: u32,
    /// Digests that were not computed before a reload are computed after it.
    algorithms: Algorithms,
    /// The moment of a sighting that shares nothing with another one: that of the exec, for all who run its image.
    alone: Option<u64>,
}

/// Waits until a change of the file that is made now would have another time than its last one. Asked is the clock that
/// dates changes, however late its ticks are; `false` where it stands still.
pub(super) fn settle(file: &FileIdentity) -> bool {
    settle_by(file, ticked_wall_ns, std::thread::sleep)
}

fn settle_by(file: &FileIdentity, clock: impl Fn() -> i64, wait: impl Fn(Duration)) -> bool {
    // Ticks may be late, but not that late.
    const TRIES: u32 = 8;
    let changed_ns = changed_ns(file);
    let kept = if in_whole_seconds(file) { COARSEST } else { Duration::ZERO };
    for _ in 0..TRIES {
        let now_ns = clock();
        let apart = Duration::from_nanos(now_ns.abs_diff(changed_ns));
        let is_past = now_ns > changed_ns && apart > kept;
        // A time that lies far ahead, of a clock that was set back, is not that of a change that is made now.
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

/// How near to each other two changes may be that leave the same time.
fn granularity(file: &FileIdentity) -> Duration {
    if in_whole_seconds(file) { COARSEST } else { tick() }
}

/// A file system that keeps whole seconds has no nanoseconds to tell.
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

    use super::{Algorithms, Sighting, settle_by};
    use crate::event::Timestamp;

    const SECOND: i64 = 1_000_000_000;

    /// A file that was changed 1,000.5 seconds after 1970, seen so much later.
    #[track_caller]
    fn check(ctime_ns: u32, flags: u16, seen_later_ns: i64, fresh: bool) {
        let file = FileIdentity { ctime_s: 1000, ctime_ns, flags, ..FileIdentity::default() };
        let at = 1000 * SECOND + i64::from(ctime_ns) + seen_later_ns;
        assert_eq!(Sighting::new(file, 0, Timestamp(at)).is_fresh(), fresh);
    }

    #[test]
    fn a_file_seen_within_a_tick_of_its_change_is_fresh() {
        check(500_000_000, 0, 0, true);
        check(500_000_000, 0, 1_000_000, true);
        check(500_000_000, 0, SECOND / 20, false);
    }

    /// Whether a file settles that was changed when the clock of ticks stood at 0, and how often that clock was looked at.
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
    fn a_tick_that_is_held_up_is_waited_for() {
        assert_eq!(settles(500_000_000, &[0, 0, 0, 4_000_000]), (true, 4));
        assert_eq!(settles(500_000_000, &[1]), (true, 1));
        assert!(!settles(500_000_000, &[0]).0);
    }

    #[test]
    fn a_file_system_of_whole_seconds_is_waited_for_longer() {
        assert_eq!(settles(0, &[0, SECOND, 3 * SECOND]), (true, 3));
    }

    #[test]
    fn a_time_that_lies_ahead_is_passed_and_one_that_lies_far_ahead_is_not() {
        assert_eq!(settles(500_000_000, &[-1_000_000, 0, 4_000_000]), (true, 3));
        assert_eq!(settles(500_000_000, &[-SECOND]), (true, 1));
    }

    #[test]
    fn a_file_whose_change_time_was_told_shows_its_next_change() {
        check(500_000_000, FileIdentity::CTIME_QUERIED, 0, false);
    }

    #[test]
    fn a_change_time_far_ahead_of_the_clock_is_not_fresh() {
        check(500_000_000, 0, -SECOND, false);
    }

    #[test]
    fn a_file_system_of_whole_seconds_has_fresh_files_for_longer() {
        check(0, 0, SECOND, true);
        check(0, 0, 3 * SECOND, false);
    }

    #[test]
    fn a_foreign_file_shares_nothing_with_another_exec() {
        let key = |flags, at_ns| {
            let file = FileIdentity { flags, ..FileIdentity::default() };
            Sighting::new(file, at_ns, Timestamp(SECOND)).key(Algorithms::ALL)
        };
        assert_eq!(key(0, 1), key(0, 2));
        assert_ne!(key(FileIdentity::FOREIGN, 1), key(FileIdentity::FOREIGN, 2));
    }
}
