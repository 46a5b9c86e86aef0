//! Shows on stderr how far the replay of a long recording is.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::source::recording::Progress;

/// Bytes of a recording that is read in a moment: its progress is not shown.
const SHORT: u64 = 64 << 20;
/// How often the line is written.
const INTERVAL: Duration = Duration::from_millis(500);

/// A line on stderr that shows the progress. Dropping it removes the line.
pub(in crate::cli) struct Shown {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Shows the progress, if the recording is long and stderr is a terminal.
pub(in crate::cli) fn show(progress: Progress) -> Option<Shown> {
    if progress.total() <= SHORT || !io::stderr().is_terminal() {
        return None;
    }
    let (end, ended) = channel();
    let write = move || {
        while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            // The cursor goes back, so that an event on the same terminal overwrites the line. A closed terminal shows nothing.
            let _ = write!(io::stderr(), "\r\x1b[K{}\r", line(progress.read(), progress.total()));
        }
        let _ = write!(io::stderr(), "\r\x1b[K");
    };
    let thread = thread::Builder::new().name("progress".to_owned()).spawn(write).ok()?;
    Some(Shown { end: Some(end), thread: Some(thread) })
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // It only fails if the thread panicked, which the panic has reported.
            let _ = thread.join();
        }
    }
}

fn line(read: u64, total: u64) -> String {
    let percent = (read.saturating_mul(100) / total.max(1)).min(100);
    format!("replay: {percent} %, {} of {} MiB", read >> 20, total >> 20)
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_line_has_the_share_and_both_sizes() {
        assert_eq!(line(0, 100 << 20), "replay: 0 %, 0 of 100 MiB");
        assert_eq!(line(50 << 20, 100 << 20), "replay: 50 %, 50 of 100 MiB");
        assert_eq!(line(300 << 20, 100 << 20), "replay: 100 %, 300 of 100 MiB");
    }
}
