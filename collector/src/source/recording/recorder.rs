//! [`Recorder`]: records a source while it is read.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::{fd::BorrowedFd, unix::fs::OpenOptionsExt as _},
    path::Path,
};

use collector_common::Counters;

use super::{error::RecordingError, format::Head, writer::BufferedWriter};
use crate::{
    machine::Machine,
    source::{outcome::Outcome, record_source::RecordSource},
};

/// A source that records another one: it passes on each record and writes it to a file.
///
/// The file is written on a thread of its own, so the disk never delays the source. Where the disk is too slow or full, the
/// recording lacks records and says so; the stream goes on. Dropping it waits until the thread has written the rest.
pub struct Recorder<S> {
    source: S,
    writer: BufferedWriter,
}

impl<S: RecordSource> Recorder<S> {
    /// Records `source` to a new file at `path`.
    pub fn create(source: S, path: &Path, machine: &Machine) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Io { path: path.to_owned(), source };
        // A new file, for nobody else: it has the environment of every process.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(failed)?;
        let head = Head::new(machine.clone()).line().map_err(io::Error::from);
        head.and_then(|line| file.write_all(&line)).map_err(failed)?;
        let writer = BufferedWriter::start(file, path)
            .map_err(|source| RecordingError::Thread { path: path.to_owned(), source })?;
        Ok(Self { source, writer })
    }
}

impl<S: RecordSource> RecordSource for Recorder<S> {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        let Self { source, writer } = self;
        let any = source.next(&mut |record| {
            writer.record(record);
            take(record);
        });
        if !any {
            writer.hand_over();
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
            self.writer.counters(&counters);
        }
        Ok(counters)
    }

    fn outcome(&self) -> Outcome {
        self.source.outcome()
    }
}
