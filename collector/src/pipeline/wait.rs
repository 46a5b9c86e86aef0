//! How long the thread waits, and for what.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{source::RecordSource, wake_event::WakeEvent};

/// Most records that one step reads.
pub(super) const BATCH: usize = 512;
/// Pause before the next read of an empty ring, so that records gather.
pub(super) const PAUSE: Duration = Duration::from_millis(1);
/// Pause under load; writing that many takes as long anyway.
const LONG_PAUSE: Duration = Duration::from_millis(4);
/// Batch size from which [`LONG_PAUSE`] applies.
const MANY: usize = 24;
/// After a read of more than this part of the ring the next follows at once: the ring may fill during a pause.
const CALM: usize = 16;

/// What one step read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Read {
    /// Whether more records may be in the ring.
    pub(super) fn is_full(self) -> bool {
        self.records >= BATCH
    }

    /// How long records may gather after this read emptied the ring, so that the next read gets many of them: a wake-up for
    /// each record costs more than all other work on it. The ring is not polled meanwhile, so the kernel side wakes nobody.
    /// The first record after a quiet time is read at once.
    pub(super) fn pause(self, ring_bytes: usize) -> Option<Duration> {
        if self.records == 0 || self.is_full() || self.bytes > ring_bytes / CALM {
            return None;
        }
        Some(if self.records < MANY { PAUSE } else { LONG_PAUSE })
    }
}

/// Waits for another thread to wake this one, or for a time.
pub(super) fn for_wake_up(wake: &WakeEvent, timeout: Duration) {
    poll_all(&mut [PollFd::new(wake, PollFlags::IN)], timeout);
}

/// Waits for that, or for records.
pub(super) fn for_records(wake: &WakeEvent, source: &dyn RecordSource, timeout: Duration) {
    let mut fds = vec![PollFd::new(wake, PollFlags::IN)];
    fds.extend(source.readable().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    poll_all(&mut fds, timeout);
}

fn poll_all(fds: &mut [PollFd<'_>], timeout: Duration) {
    // An early return, after a signal for instance, costs one more step.
    let _ = poll(fds, Timespec::try_from(timeout).ok().as_ref());
}

#[cfg(test)]
mod tests {
    use super::{BATCH, LONG_PAUSE, MANY, PAUSE, Read};

    #[test]
    fn records_gather_after_a_read_that_emptied_a_calm_ring() {
        let pause = |records, bytes| Read { records, bytes }.pause(1600);
        assert_eq!(pause(0, 0), None);
        assert_eq!(pause(1, 100), Some(PAUSE));
        assert_eq!(pause(MANY, 100), Some(LONG_PAUSE));
        assert_eq!(pause(MANY, 101), None, "the ring fills fast");
        assert_eq!(pause(BATCH, 100), None, "more records are in the ring");
    }
}
