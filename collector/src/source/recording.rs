//! Recordings of raw records: what the kernel side sent, as it sent it, with the facts of the machine it came from.
//!
//! A file begins with a line of JSON, [`Head`]. Each record follows with its length before it (4 bytes, little-endian).
//! The last entry has the length `u32::MAX` and holds the bytes of the kernel side's counters.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::{fd::BorrowedFd, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use collector_common::{Counters, WIRE_VERSION};
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes as _;

use super::{OwnedRecord, RecordSource};
use crate::machine::Machine;

/// First field of every recording.
const FORMAT: &str = "collector-recording/1";
/// Length that announces the counters of the first agents, which are no record: so many bytes.
const FIRST_COUNTERS: u32 = u32::MAX;
const FIRST_COUNTERS_LEN: usize = 200;
/// Length that announces counters with their own length before them.
const COUNTERS: u32 = u32::MAX - 1;
/// A record is never longer; a length beyond it is damage.
const RECORD_MAX: u32 = 16 << 20;

/// The head of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `collector-recording/1`.
    pub format: String,
    /// Version of the records.
    pub wire: u16,
    /// Where it was recorded.
    pub machine: Machine,
}

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read or written.
    #[error("cannot use recording {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its first line is not the head of a recording.
    #[error("{} is no recording of collector", .path.display())]
    NoHead {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is of another format or of other records.
    #[error("{} is of format {format} with records of version {wire}; this agent reads {FORMAT} with {WIRE_VERSION}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: String,
        /// Version of its records.
        wire: u16,
    },
}

/// A source that writes down what it hands on.
pub struct Recorder<S> {
    source: S,
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl<S: RecordSource> Recorder<S> {
    /// Records `source` to a new file at `path`.
    pub fn create(source: S, path: &Path, machine: &Machine) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Io { path: path.to_owned(), source };
        // A new file, for nobody else: it holds the environment of every process.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let mut file = BufWriter::new(file);
        let head = Head { format: FORMAT.to_owned(), wire: WIRE_VERSION, machine: machine.clone() };
        serde_json::to_writer(&mut file, &head)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(failed)?;
        Ok(Self { source, path: path.to_owned(), file: Some(file) })
    }

    /// Writes one entry. Where that fails the recording ends there, and the stream goes on.
    fn write(&mut self, len: u32, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(&len.to_le_bytes()).and_then(|()| file.write_all(bytes)) {
            tracing::error!("recording {} ends here: {error}", self.path.display());
            self.file = None;
        }
    }
}

impl<S: RecordSource> RecordSource for Recorder<S> {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        let mut copy = Vec::new();
        let any = self.source.next(&mut |record| {
            copy.extend_from_slice(record);
            take(record);
        });
        if any {
            self.write(u32::try_from(copy.len()).unwrap_or(0), &copy);
        }
        any
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        self.source.readable()
    }

    fn is_finished(&self) -> bool {
        self.source.is_finished()
    }

    fn scan(&mut self) -> io::Result<()> {
        self.source.scan()
    }

    fn stop(&mut self) {
        self.source.stop();
    }

    fn counters(&mut self) -> io::Result<Counters> {
        let counters = self.source.counters()?;
        if self.source.is_finished() {
            let len = u32::try_from(size_of::<Counters>()).unwrap_or(u32::MAX);
            self.write(COUNTERS, &[&len.to_le_bytes(), counters.as_bytes()].concat());
        }
        Ok(counters)
    }
}

impl<S> Drop for Recorder<S> {
    fn drop(&mut self) {
        // Of a run that was cut short the counters are missing; what was buffered is written by the file itself.
        if let Some(Err(error)) = self.file.as_mut().map(Write::flush) {
            tracing::error!("recording {} is not whole: {error}", self.path.display());
        }
    }
}

/// An open recording.
pub struct Recording {
    file: BufReader<File>,
    head: Head,
}

impl Recording {
    /// Opens a recording and reads its head.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Io { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let mut line = Vec::new();
        // A head has some hundred bytes: a file that has no line that short is something else.
        (&mut file).take(1 << 16).read_until(b'\n', &mut line).map_err(failed)?;
        let head: Head = serde_json::from_slice(&line)
            .map_err(|source| RecordingError::NoHead { path: path.to_owned(), source })?;
        if head.format != FORMAT || head.wire != WIRE_VERSION {
            return Err(RecordingError::Version {
                path: path.to_owned(),
                format: head.format,
                wire: head.wire,
            });
        }
        Ok(Self { file, head })
    }

    /// Where it was recorded.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.head.machine
    }

    /// The next entry; `None` at the end. A file that was cut ends in an error.
    pub(super) fn entry(&mut self) -> io::Result<Option<Entry>> {
        let len = match self.number() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            len => len?,
        };
        match len {
            FIRST_COUNTERS => {
                self.counters(FIRST_COUNTERS_LEN).map(|counters| Some(Entry::Counters(counters)))
            }
            COUNTERS => {
                let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                self.counters(len).map(|counters| Some(Entry::Counters(counters)))
            }
            len if len > RECORD_MAX => Err(io::Error::other(format!("a record of {len} bytes"))),
            len => self.record(usize::try_from(len).unwrap_or(0)).map(|record| Some(Entry::Record(record))),
        }
    }

    fn number(&mut self) -> io::Result<u32> {
        let mut number = [0; 4];
        self.file.read_exact(&mut number)?;
        Ok(u32::from_le_bytes(number))
    }

    /// Those that an older agent did not have are 0.
    fn counters(&mut self, len: usize) -> io::Result<Counters> {
        let mut counters = Counters::default();
        let bytes = counters.as_mut_bytes().get_mut(..len);
        self.file.read_exact(bytes.ok_or_else(|| io::Error::other(format!("counters of {len} bytes")))?)?;
        Ok(counters)
    }

    fn record(&mut self, len: usize) -> io::Result<OwnedRecord> {
        let mut bytes = vec![0; len];
        self.file.read_exact(&mut bytes)?;
        Ok(OwnedRecord::copy(&bytes))
    }
}

/// What a recording is made of.
pub(super) enum Entry {
    Record(OwnedRecord),
    Counters(Counters),
}
