//! Where the thread of an output writes to.

use std::{error::Error as _, io, os::fd::BorrowedFd, path::PathBuf};

use super::mode::Mode;

/// Takes bytes. It is used by the thread of one output alone.
pub(super) trait Sink: Send {
    /// Writes as many bytes as fit, at least one. `WouldBlock` means that [`Sink::pollable`] has to be waited for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// What becomes writable after `WouldBlock`.
    fn pollable(&self) -> Option<BorrowedFd<'_>>;

    /// Whether the path leads elsewhere by now, or nowhere.
    fn is_replaced(&self) -> bool;

    /// Opens the destination again, and answers whether there is one to open. The old one stays in use when that fails.
    fn reopen(&mut self) -> Result<bool, OpenError>;

    /// Removes the last bytes that were written, the beginning of a line that will not be completed, where that is possible.
    fn remove_partial_line(&mut self, len: u64);
}

/// Why an output cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system refused.
    #[error("cannot open {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A FIFO that no process reads.
    #[error("cannot open {}: it is a FIFO that no process has open for reading; start the reader first", .path.display())]
    NoReader {
        /// The FIFO.
        path: PathBuf,
    },
    /// Others can read the file, and its mode cannot be changed.
    #[error(
        "{} has mode {found:04o}, and it cannot be changed to {wanted}; the stream holds the environment of every \
         process, so change the mode, or allow it with mode={found:04o}",
        .path.display()
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// The mode that it has.
        found: u32,
        /// The mode that it should have.
        wanted: Mode,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output was closed when the program started.
    #[error("cannot write to stdout: it is closed; redirect it, or choose another output with --output")]
    StdoutClosed,
    /// The system refused a descriptor of standard output.
    #[error("cannot use stdout")]
    Stdout(#[source] io::Error),
    /// The system refused a thread or an event descriptor.
    #[error("cannot start the thread of output {output}")]
    Thread {
        /// The name of the output.
        output: String,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// The error and its cause on one line, for the log.
    pub(super) fn with_cause(&self) -> String {
        match self.source() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}
