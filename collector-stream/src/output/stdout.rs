//! Standard output, without the standard library's buffer, which would hold back what it has taken.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use super::{
    descriptor::Descriptor,
    sink::{OpenError, Sink},
    tail,
};

/// The sink.
#[derive(Debug)]
pub(super) struct Stdout(Descriptor);

impl Stdout {
    /// Takes a descriptor of its own. The program's descriptor stays as it is.
    pub(super) fn open() -> Result<Self, OpenError> {
        let fd = io::stdout().as_fd().try_clone_to_owned().map_err(OpenError::Stdout)?;
        Descriptor::shared(fd).map(Self).map_err(OpenError::Stdout)
    }
}

impl Sink for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn pollable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    fn is_replaced(&self) -> bool {
        false
    }

    /// The program did not open it, so it cannot open it again.
    fn reopen(&mut self) -> Result<bool, OpenError> {
        Ok(false)
    }

    fn remove_partial_line(&mut self, len: u64) {
        tail::remove(self.0.file(), len);
    }
}
