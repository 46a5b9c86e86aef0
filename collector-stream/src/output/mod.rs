//! Where a stream goes.
//!
//! A sink takes bytes and either keeps them or says why not. It never drops a line and never writes half of one: what the
//! system did not take stays in front, and the next try goes on at the byte where the last one ended.

mod destination;

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write},
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    path::PathBuf,
};

pub use self::destination::{Destination, DestinationError};
use crate::format::{Encoding, Format};

/// Why a sink took nothing.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It cannot be opened.
    #[error("cannot open output {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nobody reads it any more.
    #[error("nobody reads {sink} any more")]
    Closed {
        /// Its name.
        sink: String,
    },
    /// There is no room. It may take the rest later.
    #[error("cannot write to {sink}: {} bytes wait", .waiting)]
    Full {
        /// Its name.
        sink: String,
        /// Bytes that it has not taken.
        waiting: usize,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed.
    #[error("cannot write to {sink}")]
    Write {
        /// Its name.
        sink: String,
        /// What the system said.
        source: io::Error,
    },
}

/// One output.
pub struct Sink {
    name: String,
    encoding: Encoding,
    terminal: bool,
    writer: Box<dyn Write>,
    /// What the system has not taken.
    waiting: Vec<u8>,
}

impl Sink {
    /// Opens an output. Without a format, a terminal gets lines for people and anything else JSON Lines.
    pub fn open(destination: &Destination, format: Option<Format>) -> Result<Self, SinkError> {
        let name = destination.to_string();
        let file = match destination {
            Destination::Stdout => {
                stdout().map_err(|source| SinkError::Write { sink: name.clone(), source })?
            }
            Destination::File(path) => append(path.clone())?,
        };
        let terminal = file.is_terminal();
        let format = format.unwrap_or(if terminal { Format::Compact } else { Format::Json });
        Ok(Self {
            name,
            encoding: Encoding { format, colour: terminal },
            terminal,
            writer: Box::new(file),
            waiting: Vec::new(),
        })
    }

    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Sets whether the compact format has colours; by default it has them on a terminal.
    pub fn set_colour(&mut self, colour: bool) {
        self.encoding.colour = colour;
    }

    /// What it wants its lines to be.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Takes whole lines and writes them.
    pub fn take(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if !self.waiting.is_empty() {
            self.waiting.extend_from_slice(lines);
            return self.flush();
        }
        let (written, result) = write(&mut *self.writer, lines);
        self.waiting.extend_from_slice(lines.get(written..).unwrap_or_default());
        result.map_err(|error| self.sorted(error))
    }

    /// Writes what has not been written. After [`SinkError::Full`] it may be called again.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        let (written, result) = write(&mut *self.writer, &self.waiting);
        self.waiting.drain(..written);
        result.map_err(|error| self.sorted(error))
    }

    fn sorted(&self, source: io::Error) -> SinkError {
        let sink = self.name.clone();
        match source.kind() {
            io::ErrorKind::BrokenPipe => SinkError::Closed { sink },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WouldBlock => {
                SinkError::Full { sink, waiting: self.waiting.len(), source }
            }
            _ => SinkError::Write { sink, source },
        }
    }
}

/// Writes as much as the system takes, and says how many bytes that was.
fn write(writer: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    loop {
        let rest = bytes.get(written..).unwrap_or_default();
        if rest.is_empty() {
            return (written, writer.flush());
        }
        match writer.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(len) => written += len.min(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
}

/// Standard output without the standard library's buffer, which could hold back what it has taken.
fn stdout() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// The stream holds the environment of every process, which /proc lets nobody but its owner read.
const PRIVATE: u32 = 0o600;

/// Appends: a restart keeps what an earlier run has written.
fn append(path: PathBuf) -> Result<File, SinkError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(PRIVATE)
        .open(&path)
        .map_err(|source| SinkError::Open { path, source })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::{Encoding, Format, Sink, SinkError};

    /// A disk with room for so many bytes.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.lock().unwrap();
            let room = disk.1 - disk.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let len = room.min(bytes.len());
            disk.0.extend_from_slice(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_full_disk_cut_is_completed_when_there_is_room() {
        let disk = Disk(Arc::new(Mutex::new((Vec::new(), 10))));
        let mut sink = Sink {
            name: "disk".to_owned(),
            encoding: Encoding { format: Format::Json, colour: false },
            terminal: false,
            writer: Box::new(disk.clone()),
            waiting: Vec::new(),
        };
        let lines = b"{\"one\":1}\n{\"two\":2}\n";
        assert!(
            matches!(sink.take(lines), Err(SinkError::Full { waiting, .. }) if waiting == lines.len() - 10)
        );
        assert!(sink.take(lines).is_err(), "what came later waits behind it");
        disk.0.lock().unwrap().1 = 1 << 20;
        sink.flush().unwrap();
        assert_eq!(disk.0.lock().unwrap().0, [&lines[..], lines].concat());
    }
}
