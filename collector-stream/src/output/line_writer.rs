//! Writes lines to a sink until each is delivered: waits for room, tries again after failures, follows the path of a file, and
//! counts every whole line.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{bell::Bell, buffer::Buffer, config::WhenClosed, encoder::Lines, sink::Sink};

/// Pause before the first retry. It doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why lines were not delivered.
#[derive(Debug)]
pub(super) enum Stop {
    /// The stream has ended, and so has the time for what was left of it.
    TimeIsUp(String),
    /// The destination closed or failed, and the policy is not to try again.
    Failed(io::Error),
}

/// The writing half of an output's thread.
pub(super) struct LineWriter {
    name: Arc<str>,
    buffer: Arc<Buffer>,
    bell: Arc<Bell>,
    sink: Box<dyn Sink>,
    retries: bool,
    /// Pause before the next retry; none since the last success.
    pause: Option<Duration>,
}

impl LineWriter {
    pub(super) fn new(
        name: Arc<str>,
        buffer: Arc<Buffer>,
        bell: Arc<Bell>,
        sink: Box<dyn Sink>,
        when_closed: WhenClosed,
    ) -> Self {
        Self { name, buffer, bell, sink, retries: when_closed == WhenClosed::Retry, pause: None }
    }

    /// Writes these lines. Where it stops before their end, it takes back the beginning of a line, as far as the sink can.
    pub(super) fn write(&mut self, lines: &Lines<'_>) -> Result<(), Stop> {
        let mut place = Place::default();
        let result = self.write_from(&mut place, lines);
        if result.is_err() {
            self.sink.remove_partial_line(place.partial());
        }
        result
    }

    fn write_from(&mut self, place: &mut Place, lines: &Lines<'_>) -> Result<(), Stop> {
        while let Some(rest) = lines.bytes.get(place.written..).filter(|rest| !rest.is_empty()) {
            if place.partial() == 0 && (self.buffer.take_reopen() || self.sink.is_replaced()) {
                self.reopen();
            }
            match self.sink.write(rest) {
                Ok(written) => {
                    self.pause = None;
                    let whole = place.advance(written, &lines.ends);
                    if whole > 0 {
                        self.buffer.delivered(whole);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for_room()?,
                Err(error) if self.retries => self.recover(&error, place)?,
                Err(error) => return Err(Stop::Failed(error)),
            }
        }
        Ok(())
    }

    /// Opens the destination again, between two lines.
    pub(super) fn reopen(&mut self) {
        match self.sink.reopen() {
            Ok(true) => tracing::info!("output {} was opened again", self.name),
            Ok(false) => {}
            Err(error) => tracing::error!("output {}: {}", self.name, error.with_cause()),
        }
    }

    fn wait_for_room(&self) -> Result<(), Stop> {
        let patience = match self.buffer.deadline() {
            None => None,
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => Some(left),
                Some(_) | None => return Err(Stop::TimeIsUp("nobody reads it".to_owned())),
            },
        };
        self.bell.wait(self.sink.pollable(), patience);
        Ok(())
    }

    /// After a failure: gives up when the stream has ended, else waits and has the line go on, or begin again elsewhere.
    fn recover(&mut self, error: &io::Error, place: &mut Place) -> Result<(), Stop> {
        if self.buffer.is_ending() {
            return Err(Stop::TimeIsUp(error.to_string()));
        }
        let pause = self.pause.unwrap_or_else(|| {
            tracing::warn!("output {}: {error}; it tries again until that changes", self.name);
            PAUSE_MIN
        });
        self.pause = Some((pause * 2).min(PAUSE_MAX));
        self.bell.wait(None, Some(pause));
        if error.kind() == io::ErrorKind::BrokenPipe || self.sink.is_replaced() || self.buffer.take_reopen() {
            self.sink.remove_partial_line(place.partial());
            if self.sink.reopen().is_ok_and(|opened| opened) {
                place.restart_line();
            }
        }
        Ok(())
    }
}

/// How far the writing has come.
#[derive(Debug, Default)]
struct Place {
    /// Bytes that the sink took.
    written: usize,
    /// Lines that it took whole.
    whole: usize,
    /// Where the line that is being written begins.
    line: usize,
}

impl Place {
    /// Goes on by so many bytes; answers how many lines are whole by now that were not before.
    fn advance(&mut self, bytes: usize, ends: &[usize]) -> u64 {
        self.written += bytes;
        let before = self.whole;
        while let Some(&end) = ends.get(self.whole).filter(|&&end| end <= self.written) {
            self.whole += 1;
            self.line = end;
        }
        (self.whole - before).try_into().unwrap_or(u64::MAX)
    }

    /// Bytes of the line that is being written.
    fn partial(&self) -> u64 {
        (self.written - self.line).try_into().unwrap_or(u64::MAX)
    }

    fn restart_line(&mut self) {
        self.written = self.line;
    }
}
