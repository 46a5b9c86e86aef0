//! An open recording.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use collector_common::WIRE_VERSION;

use super::{
    error::RecordingError,
    format::{Entries, Entry, FORMAT, Head},
};
use crate::{machine::Machine, source::outcome::DamageCause};

/// Longest first line. A head has some hundred bytes: a file without a line that short is something else.
const HEAD_MAX: u64 = 1 << 16;
/// What the first line of a stream of events has, and the head of a recording has not.
const STREAM_SCHEMA: &[u8] = b"\"schema\":\"collector/";

/// An open recording, after its head has been read.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    head: Head,
    entries: Entries<BufReader<File>>,
    progress: Progress,
}

impl Recording {
    /// Opens a recording and reads its head.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        (&mut file).take(HEAD_MAX).read_until(b'\n', &mut line).map_err(failed)?;
        let head = head(path, &line)?;
        let entries = Entries::new(file, u64::try_from(line.len()).unwrap_or(0));
        Ok(Self { path: path.to_owned(), head, entries, progress: Progress::new(len) })
    }

    /// Where it was recorded.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.head.machine
    }

    /// How much of it has been read.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The file.
    pub(in crate::source) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next entry begins, in bytes from the start of the file.
    pub(in crate::source) fn offset(&self) -> u64 {
        self.entries.offset()
    }

    /// The next entry; `None` at the end of the file.
    pub(in crate::source) fn next_entry(&mut self) -> Result<Option<Entry>, DamageCause> {
        let entry = self.entries.next_entry();
        self.progress.read.store(self.entries.offset(), Ordering::Relaxed);
        entry
    }
}

fn head(path: &Path, line: &[u8]) -> Result<Head, RecordingError> {
    if line.starts_with(b"{") && memchr::memmem::find(line, STREAM_SCHEMA).is_some() {
        return Err(RecordingError::EventStream { path: path.to_owned() });
    }
    let head: Head = serde_json::from_slice(line)
        .map_err(|source| RecordingError::NoHead { path: path.to_owned(), source })?;
    if head.format != FORMAT || head.wire != WIRE_VERSION {
        let (format, wire) = (head.format, head.wire);
        return Err(RecordingError::Version { path: path.to_owned(), format, wire });
    }
    Ok(head)
}

/// How much of a recording has been read. Its clones belong to the same recording, and any thread may ask.
#[derive(Clone, Debug)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: u64,
}

impl Progress {
    fn new(total: u64) -> Self {
        Self { read: Arc::default(), total }
    }

    /// Bytes that have been read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of the file when it was opened.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}
