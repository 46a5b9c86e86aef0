//! [`WakeEvent`]: lets other threads wake the thread that waits for the kernel's records.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    event::{EventfdFlags, eventfd},
    io::{Errno, read, write},
};

/// An eventfd that other threads trigger and one thread polls. Its clones are the same eventfd.
#[derive(Clone, Debug)]
pub struct WakeEvent {
    eventfd: Arc<OwnedFd>,
}

impl WakeEvent {
    /// A new eventfd, not triggered.
    pub fn new() -> Result<Self, Errno> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { eventfd: Arc::new(eventfd) })
    }

    /// Triggers it, from any thread. Does not block: a full counter means that it is triggered already, and no other
    /// error can occur.
    pub fn wake(&self) {
        let _ = write(&self.eventfd, &1u64.to_ne_bytes());
    }

    /// Resets it. To be called before looking at what it was triggered for, so that a later trigger is not missed.
    pub fn silence(&self) {
        let _ = read(&self.eventfd, &mut [0; 8]);
    }
}

impl AsFd for WakeEvent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}
