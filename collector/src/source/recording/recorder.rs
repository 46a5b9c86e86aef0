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
        // A new file, readable by its owner alone: it has the environment of every process.
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

#[cfg(test)]
mod tests {
    use std::{
        io,
        os::{fd::BorrowedFd, unix::fs::PermissionsExt as _},
        path::Path,
    };

    use collector_common::{Counters, Kind};

    use super::Recorder;
    use crate::{
        machine::Machine,
        procfs::Proc,
        source::{
            outcome::{DamageCause, Outcome},
            record_source::RecordSource,
            recording::Recording,
            replay::Replay,
        },
    };

    /// A source with this number of exits, each with its number in the last byte.
    struct Exits {
        left: u8,
        stopped: bool,
    }

    impl RecordSource for Exits {
        fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            let mut record = [0; 64];
            record[2..4].copy_from_slice(&Kind::Exit.to_wire().to_ne_bytes());
            record[63] = self.left;
            take(&record);
            true
        }

        fn readable(&self) -> Option<BorrowedFd<'_>> {
            None
        }

        fn is_finished(&self) -> bool {
            self.stopped
        }

        fn scan(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn stop(&mut self) {
            self.stopped = true;
        }

        fn counters(&mut self) -> io::Result<Counters> {
            let mut counters = Counters::default();
            counters.seen[Kind::Exit.index()] = 9;
            Ok(counters)
        }
    }

    fn record(path: &Path) -> Recorder<Exits> {
        let machine = Machine::this(&Proc::nowhere(), false);
        let mut recorder = Recorder::create(Exits { left: 9, stopped: false }, path, &machine).unwrap();
        let mut passed = Vec::new();
        while recorder.next(&mut |record| passed.push(record[63])) {}
        assert_eq!(passed, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
        recorder
    }

    /// The last bytes of the records of a recording, what was seen, and how it ends.
    fn replay(path: &Path) -> (Vec<u8>, u64, Outcome) {
        let mut replay = Replay::new(Recording::open(path).unwrap());
        let mut records = Vec::new();
        while replay.next(&mut |record| records.push(record[63])) {}
        let seen = replay.counters().unwrap().seen[Kind::Exit.index()];
        assert_eq!(replay.progress().read(), replay.progress().total());
        (records, seen, replay.outcome())
    }

    #[test]
    fn a_recording_has_each_record_and_the_counters_and_belongs_to_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.rec");
        let mut recorder = record(&path);
        recorder.stop();
        recorder.counters().unwrap();
        drop(recorder);
        assert_eq!(replay(&path), (vec![8, 7, 6, 5, 4, 3, 2, 1, 0], 9, Outcome::Finished));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_recording_of_a_run_that_was_cut_short_has_its_records_and_lacks_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.rec");
        drop(record(&path));
        let (records, seen, outcome) = replay(&path);
        assert_eq!((records.len(), seen), (9, 9));
        let Outcome::Damaged(damage) = outcome else { panic!("{outcome:?}") };
        assert_eq!((damage.records, damage.cause), (9, DamageCause::NoCounters));
        assert_eq!(damage.offset, path.metadata().unwrap().len());
    }
}
