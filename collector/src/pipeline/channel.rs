//! The bounded channel out of the agent's thread. That thread never blocks on it: it reserves a slot before it makes an item,
//! and a consumer that makes room wakes it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    task::{Context, Poll},
};

use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender, error::TrySendError};

use crate::wake_event::WakeEvent;

/// The consumer is gone.
#[derive(Debug)]
pub struct Closed;

/// A channel for `capacity` items. Its consumer wakes the producer, which waits for `wake`.
#[must_use]
pub fn channel<T>(capacity: usize, wake: WakeEvent) -> (Slots<T>, Items<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let starved = Arc::new(AtomicBool::new(false));
    (Slots { sender, slot: None, starved: starved.clone() }, Items { receiver, starved, wake })
}

/// The producer's end.
#[derive(Debug)]
pub struct Slots<T> {
    sender: Sender<T>,
    /// Reserved before its item exists.
    slot: Option<OwnedPermit<T>>,
    /// Whether the producer wants to be woken when there is room.
    starved: Arc<AtomicBool>,
}

impl<T> Slots<T> {
    /// Reserves a slot, unless one is reserved already. If none is free, it returns false, and the consumer wakes the producer
    /// when it takes the next item.
    pub fn reserve(&mut self) -> Result<bool, Closed> {
        if self.try_reserve()? {
            return Ok(true);
        }
        // The consumer takes an item and then looks at the flag; this sets the flag and then looks for room. Between the two
        // steps of each there is a fence, so at least one of them sees what the other did.
        self.starved.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.try_reserve()
    }

    fn try_reserve(&mut self) -> Result<bool, Closed> {
        if self.sender.is_closed() {
            return Err(Closed);
        }
        if self.slot.is_none() {
            match self.sender.clone().try_reserve_owned() {
                Ok(slot) => self.slot = Some(slot),
                Err(TrySendError::Full(_)) => return Ok(false),
                Err(TrySendError::Closed(_)) => return Err(Closed),
            }
        }
        Ok(true)
    }

    /// Puts an item into the reserved slot. Without one the item is dropped.
    pub fn send(&mut self, item: T) {
        if let Some(slot) = self.slot.take() {
            slot.send(item);
        }
    }
}

/// The consumer's end. Dropping it closes the channel.
#[derive(Debug)]
pub struct Items<T> {
    receiver: Receiver<T>,
    starved: Arc<AtomicBool>,
    wake: WakeEvent,
}

impl<T> Items<T> {
    /// The next item; none after the producer is gone.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let item = self.receiver.poll_recv(context);
        if item.is_ready() {
            fence(Ordering::SeqCst);
            if self.starved.swap(false, Ordering::Relaxed) {
                self.wake.wake();
            }
        }
        item
    }

    /// Ends the channel: the producer can send nothing more.
    pub fn close(&mut self) {
        self.receiver.close();
        self.wake.wake();
    }
}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        task::{Context, Poll, Waker},
        thread,
        time::{Duration, Instant},
    };

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::{Items, channel};
    use crate::wake_event::WakeEvent;

    fn take<T>(items: &mut Items<T>) -> Option<T> {
        match items.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        }
    }

    fn is_woken(wake: &WakeEvent) -> bool {
        let mut fds = [PollFd::new(wake, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
    }

    #[test]
    fn a_starved_producer_is_woken_by_the_next_item_that_is_taken_and_by_no_other() {
        let wake = WakeEvent::new().unwrap();
        let (mut slots, mut items) = channel(1, wake.clone());
        assert!(slots.reserve().unwrap());
        slots.send(1);
        assert!(!slots.reserve().unwrap());
        assert!(!is_woken(&wake));
        assert_eq!(take(&mut items), Some(1));
        assert!(is_woken(&wake));
        assert!(slots.reserve().unwrap());
        drop(items);
        assert!(slots.reserve().is_err());
    }

    /// With one wake-up lost the producer would wait until its patience ends.
    #[test]
    fn no_wake_up_is_lost() {
        const ITEMS: u32 = 20_000;
        let wake = WakeEvent::new().unwrap();
        let (mut slots, mut items) = channel(1, wake.clone());
        let consumer = thread::spawn(move || {
            let mut taken = 0;
            while taken < ITEMS {
                if take(&mut items).is_some() {
                    taken += 1;
                } else {
                    thread::yield_now();
                }
            }
        });
        let begin = Instant::now();
        for item in 0..ITEMS {
            while !slots.reserve().unwrap() {
                let mut fds = [PollFd::new(&wake, PollFlags::IN)];
                let patience = Timespec::try_from(Duration::from_secs(10)).unwrap();
                assert!(
                    poll(&mut fds, Some(&patience)).unwrap() > 0,
                    "item {item} after {:?}",
                    begin.elapsed()
                );
                wake.silence();
            }
            slots.send(item);
        }
        consumer.join().unwrap();
    }
}
