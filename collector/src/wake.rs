//! A bell: other threads ring it, and the thread that waits for the kernel's records wakes.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    event::{EventfdFlags, eventfd},
    io::{Errno, read, write},
};

/// The bell.
#[derive(Clone, Debug)]
pub struct Waker {
    eventfd: Arc<OwnedFd>,
}

impl Waker {
    /// A new one.
    pub fn new() -> Result<Self, Errno> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { eventfd: Arc::new(eventfd) })
    }

    /// Rings. A counter that is full has been rung already, and nothing else can fail.
    pub fn wake(&self) {
        let _ = write(&self.eventfd, &1u64.to_ne_bytes());
    }

    /// Silences it, before what it was rung for is looked at: a ring that comes between is heard the next time.
    pub fn silence(&self) {
        let _ = read(&self.eventfd, &mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}
