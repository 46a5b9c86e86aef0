//! Wakes the thread of an output while it waits for its destination, or for another try.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::{Errno, read, write},
};

/// An event descriptor.
#[derive(Debug)]
pub(super) struct Bell(OwnedFd);

impl Bell {
    pub(super) fn new() -> Result<Self, Errno> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Self)
    }

    /// Ends the wait that is under way, or the next one. Any thread may call it.
    pub(super) fn ring(&self) {
        // It fails only when the counter is full, and then it was rung.
        let _ = write(&self.0, &1u64.to_ne_bytes());
    }

    /// Waits until `writable` can be written to, the bell is rung, or the time is over. It may return early.
    pub(super) fn wait(&self, writable: Option<BorrowedFd<'_>>, patience: Option<Duration>) {
        let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
        fds.extend(writable.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        let _ = poll(&mut fds, timeout.as_ref());
        let _ = read(&self.0, &mut [0; 8]);
    }
}
