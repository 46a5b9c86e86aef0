//! Writes a recording on a thread of its own, behind a buffer of bounded size.

use std::{
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use collector_common::Counters;

use super::format::{MissingRecords, append_counters, append_missing, append_record};

/// Most bytes that wait for the disk: twice the default ring.
const BUFFER_MAX: usize = 16 << 20;
/// Bytes that the thread gets at once while records keep coming.
const BATCH_LEN: usize = 64 << 10;

/// A buffer before a file, which a thread of its own writes.
///
/// No method blocks. A record that finds no room is counted; the count takes its place in the file.
pub(super) struct BufferedWriter {
    path: PathBuf,
    /// Entries that the thread does not have yet.
    batch: Vec<u8>,
    /// Bytes that the thread has and has not written.
    pending: Arc<AtomicUsize>,
    /// Records since the last entry that found no room.
    missing: MissingRecords,
    /// Whether the log has reported missing records.
    warned: bool,
    /// `None` once the thread has ended, because the file cannot be written.
    batches: Option<Sender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl BufferedWriter {
    /// Starts the thread. `path` is for messages.
    pub(super) fn start(file: impl Write + Send + 'static, path: &Path) -> io::Result<Self> {
        let (sender, batches) = channel();
        let pending = Arc::new(AtomicUsize::new(0));
        let write = {
            let (pending, path) = (pending.clone(), path.to_owned());
            move || write_all(file, &batches, &pending, &path)
        };
        let thread = thread::Builder::new().name("recording".to_owned()).spawn(write)?;
        Ok(Self {
            path: path.to_owned(),
            batch: Vec::new(),
            pending,
            missing: MissingRecords::default(),
            warned: false,
            batches: Some(sender),
            thread: Some(thread),
        })
    }

    /// Takes a record, or counts it as missing if the buffer is full.
    pub(super) fn record(&mut self, record: &[u8]) {
        if self.batches.is_none() {
            return;
        }
        let waiting = self.pending.load(Ordering::Relaxed) + self.batch.len();
        if waiting + record.len() > BUFFER_MAX {
            self.missing.count(record);
            if !self.warned {
                self.warned = true;
                tracing::warn!(
                    "the disk is too slow for recording {}: it lacks records",
                    self.path.display()
                );
            }
            return;
        }
        self.append_missing();
        append_record(&mut self.batch, record);
        if self.batch.len() >= BATCH_LEN {
            self.hand_over();
        }
    }

    /// Takes the counters that end the recording. They are few, so they always have room.
    pub(super) fn counters(&mut self, counters: &Counters) {
        self.append_missing();
        append_counters(&mut self.batch, counters);
        self.hand_over();
    }

    /// Hands the entries so far to the thread.
    pub(super) fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = mem::take(&mut self.batch);
        self.pending.fetch_add(batch.len(), Ordering::Relaxed);
        if self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_err()) {
            self.batches = None;
        }
    }

    fn append_missing(&mut self) {
        if self.missing != MissingRecords::default() {
            append_missing(&mut self.batch, &mem::take(&mut self.missing));
        }
    }
}

impl Drop for BufferedWriter {
    fn drop(&mut self) {
        self.append_missing();
        self.hand_over();
        // Without a sender the thread ends once it has written the rest.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // It only fails if the thread panicked, which the panic has reported.
            let _ = thread.join();
        }
    }
}

/// Writes until there are no more batches, or the file cannot be written: then the recording ends there.
fn write_all(mut file: impl Write, batches: &Receiver<Vec<u8>>, pending: &AtomicUsize, path: &Path) {
    for batch in batches {
        if let Err(error) = file.write_all(&batch) {
            tracing::error!("recording {} ends here: {error}", path.display());
            // So that the next batch finds the thread gone, and is not taken for one too many.
            pending.store(0, Ordering::Relaxed);
            return;
        }
        pending.fetch_sub(batch.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        path::Path,
        sync::{
            Arc, Mutex,
            mpsc::{Receiver, channel},
        },
    };

    use collector_common::{Counters, Kind};

    use super::{BUFFER_MAX, BufferedWriter};
    use crate::source::recording::format::{Entries, Entry, MissingRecords};

    /// A disk that writes nothing before it is released, and then everything.
    struct Disk {
        released: Receiver<()>,
        content: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Fails once the other end is gone, which is the release.
            let _ = self.released.recv();
            self.content.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Bytes that begin as a record of this kind does.
    fn record(kind: Kind, len: usize) -> Vec<u8> {
        let mut record = vec![0; len];
        record[2..4].copy_from_slice(&kind.to_wire().to_ne_bytes());
        record
    }

    fn entries(content: &[u8]) -> Vec<Entry> {
        let mut entries = Entries::new(content, 0);
        std::iter::from_fn(|| entries.next_entry().unwrap()).collect()
    }

    #[test]
    fn a_stalled_disk_delays_no_event_and_the_recording_says_what_it_lacks() {
        let (release, released) = channel();
        let content = Arc::new(Mutex::new(Vec::new()));
        let disk = Disk { released, content: content.clone() };
        let mut writer = BufferedWriter::start(disk, Path::new("/x")).unwrap();
        let len = 1 << 20;
        let count = 2 * BUFFER_MAX / len;
        // All of them come back while the disk writes nothing.
        for _ in 0..count {
            writer.record(&record(Kind::Exec, len));
        }
        writer.record(&record(Kind::Exit, len));
        drop(release);
        writer.counters(&Counters::default());
        drop(writer);
        let entries = entries(&content.lock().unwrap());
        let records = entries.iter().filter(|entry| matches!(entry, Entry::Record(_))).count();
        let mut missing = MissingRecords::default();
        for entry in &entries {
            if let Entry::Missing(more) = entry {
                missing.add(more);
            }
        }
        assert_eq!(missing.by_kind[Kind::Exec.index()], u64::try_from(count - records).unwrap());
        assert_eq!((missing.by_kind[Kind::Exit.index()], missing.unknown), (1, 0));
        assert!(records > 0 && records * len <= BUFFER_MAX, "{records}");
        assert!(matches!(entries.last(), Some(Entry::Counters(_))));
    }

    #[test]
    fn a_disk_that_fails_ends_the_recording_and_nothing_else() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = BufferedWriter::start(Full, Path::new("/x")).unwrap();
        let record = record(Kind::Exec, 1 << 20);
        while writer.batches.is_some() {
            writer.record(&record);
        }
        writer.record(&record);
        writer.counters(&Counters::default());
        assert_eq!(writer.batch.len(), 0);
    }
}
