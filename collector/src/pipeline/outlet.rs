//! Where events leave the agent's thread: as they are, or written out already.
//!
//! Nothing here waits, but for the end of the stream: the thread has the ring to read.

use std::{
    mem,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use tokio::sync::mpsc::{OwnedPermit, Sender, error::TrySendError};

use crate::{
    event::{Action, Event},
    stream::format::{Encoding, encode},
};

/// Bytes of one encoding that are handed on together, while there are more events to come.
const TOGETHER: usize = 256 << 10;
/// Bytes of most lines.
const LINE: usize = 16 << 10;

/// How often a full channel is tried again at the end.
const RETRY_EVERY: Duration = Duration::from_millis(2);

/// Whoever took the events is gone.
#[derive(Debug)]
pub struct Closed;

/// Takes the events of a stream in their order.
pub trait Outlet: Send {
    /// Whether there is room for another event.
    fn has_room(&mut self) -> Result<bool, Closed>;

    /// Takes an event. There was room for it.
    fn take(&mut self, event: Box<Event>);

    /// Hands on what has been taken: for the moment nothing more comes.
    fn hand_on(&mut self);

    /// Waits until there is room. For the end of the stream, when there is nothing else to do.
    fn wait_for_room(&mut self) -> Result<(), Closed>;
}

/// A place in a channel that may be had before there is something to put there.
struct Place<T> {
    sender: Sender<T>,
    permit: Option<OwnedPermit<T>>,
}

impl<T> Place<T> {
    fn is_had(&mut self) -> Result<bool, Closed> {
        if self.sender.is_closed() {
            return Err(Closed);
        }
        if self.permit.is_none() {
            match self.sender.clone().try_reserve_owned() {
                Ok(permit) => self.permit = Some(permit),
                Err(TrySendError::Full(_)) => return Ok(false),
                Err(TrySendError::Closed(_)) => return Err(Closed),
            }
        }
        Ok(true)
    }

    fn fill(&mut self, item: T) {
        if let Some(permit) = self.permit.take() {
            permit.send(item);
        }
    }

    fn wait(&mut self) -> Result<(), Closed> {
        while !self.is_had()? {
            thread::sleep(RETRY_EVERY);
        }
        Ok(())
    }
}

/// Events as they are, each in a place of its own.
pub struct Events(Place<Event>);

impl Events {
    /// Into this channel.
    #[must_use]
    pub fn into_channel(sender: Sender<Event>) -> Self {
        Self(Place { sender, permit: None })
    }
}

impl Outlet for Events {
    fn has_room(&mut self) -> Result<bool, Closed> {
        self.0.is_had()
    }

    fn take(&mut self, event: Box<Event>) {
        self.0.fill(*event);
    }

    fn hand_on(&mut self) {}

    fn wait_for_room(&mut self) -> Result<(), Closed> {
        self.0.wait()
    }
}

/// Lines of many events, in each of the encodings that were asked for.
#[derive(Debug)]
pub struct Lines {
    /// One for each encoding, in the order in which they were asked for: whole lines.
    pub encoded: Vec<Vec<u8>>,
    /// The action of the last event.
    pub last: Action,
    back: mpsc::Sender<Vec<Vec<u8>>>,
}

impl Drop for Lines {
    fn drop(&mut self) {
        // To be filled anew. Nobody takes them back once the stream has ended.
        let _ = self.back.send(mem::take(&mut self.encoded));
    }
}

/// Events as lines. They are written where they are made: that spares each of their many parts the way to another CPU.
pub struct Encoder {
    place: Place<Lines>,
    encodings: Vec<Encoding>,
    lines: Option<Lines>,
    /// Buffers that were written out. To allocate such large ones for each batch makes glibc sort all that it has free.
    returned: Receiver<Vec<Vec<u8>>>,
    back: mpsc::Sender<Vec<Vec<u8>>>,
}

impl Encoder {
    /// Into this channel.
    #[must_use]
    pub fn into_channel(sender: Sender<Lines>, encodings: Vec<Encoding>) -> Self {
        let (back, returned) = mpsc::channel();
        Self { place: Place { sender, permit: None }, encodings, lines: None, returned, back }
    }

    /// Empty lines, to be filled.
    fn lines(&self, action: Action) -> Lines {
        let mut encoded = self.returned.try_recv().unwrap_or_default();
        encoded.resize_with(self.encodings.len(), || Vec::with_capacity(TOGETHER + LINE));
        for buffer in &mut encoded {
            buffer.clear();
            // One that held a giant line is not kept at that size.
            buffer.shrink_to(TOGETHER + LINE);
        }
        Lines { encoded, last: action, back: self.back.clone() }
    }
}

impl Outlet for Encoder {
    fn has_room(&mut self) -> Result<bool, Closed> {
        self.place.is_had()
    }

    fn take(&mut self, event: Box<Event>) {
        let action = event.action();
        let mut lines = self.lines.take().unwrap_or_else(|| self.lines(action));
        lines.last = action;
        for (encoding, encoded) in self.encodings.iter().zip(&mut lines.encoded) {
            encode(&event, *encoding, encoded);
        }
        let enough = lines.encoded.iter().any(|encoded| encoded.len() >= TOGETHER);
        self.lines = Some(lines);
        if enough {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        if let Some(lines) = self.lines.take() {
            self.place.fill(lines);
        }
    }

    fn wait_for_room(&mut self) -> Result<(), Closed> {
        self.place.wait()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::{Encoder, Events, Outlet};
    use crate::{
        event::{Action, Event, Shared, Timestamp},
        stream::format::{Encoding, Format},
    };

    fn event() -> Box<Event> {
        Box::new(Event::new(Action::Exec, Timestamp(0), Shared::default()))
    }

    #[test]
    fn each_event_takes_a_place() {
        let (sender, mut events) = channel(1);
        let mut outlet = Events::into_channel(sender);
        assert!(outlet.has_room().unwrap());
        outlet.take(event());
        assert!(!outlet.has_room().unwrap());
        assert_eq!(events.try_recv().unwrap(), *event());
        assert!(outlet.has_room().unwrap());
        drop(events);
        assert!(outlet.has_room().is_err());
    }

    #[test]
    fn lines_are_handed_on_together_in_each_encoding() {
        let (sender, mut batches) = channel(1);
        let encodings = [Format::Json, Format::Compact].map(|format| Encoding { format, colour: false });
        let mut outlet = Encoder::into_channel(sender, encodings.to_vec());
        for _ in 0..2 {
            assert!(outlet.has_room().unwrap(), "lines gather in one place");
            outlet.take(event());
        }
        assert!(batches.try_recv().is_err());
        outlet.hand_on();
        assert!(!outlet.has_room().unwrap());
        let lines = batches.try_recv().unwrap();
        assert_eq!(lines.last, Action::Exec);
        for encoded in &lines.encoded {
            assert_eq!(str::from_utf8(encoded).unwrap().lines().count(), 2);
        }
    }
}
