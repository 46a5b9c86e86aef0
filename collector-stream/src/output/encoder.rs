//! From a batch to the bytes that one output writes: its selection, in its format.

use std::{borrow::Cow, sync::Arc};

use collector_event::{Action, Event, Host, Loss, LossReason, Shared, Timestamp};

use super::{buffer::Events, selection::Selection};
use crate::{
    batch::Batch,
    format::{CompactFormat, json},
};

/// Lines of whole events.
#[derive(Debug)]
pub(super) struct Lines<'b> {
    pub(super) bytes: Cow<'b, [u8]>,
    /// Where the line of each event ends, behind its newline.
    pub(super) ends: Vec<usize>,
}

/// The format of one output.
#[derive(Debug)]
pub(super) enum Encoder {
    /// The native JSON of the batch as it is.
    Json,
    /// Made of the typed events, on the output's own thread.
    Compact(Box<CompactFormat>),
}

impl Selection {
    /// The events of a batch that it takes, if any.
    pub(super) fn of_batch(&self, batch: &Batch) -> Option<Events> {
        let mut selected: Option<Events> = None;
        for (entry, _) in batch.entries().filter(|(entry, _)| self.takes(entry.action)) {
            let events = selected.get_or_insert(Events { count: 0, first: entry.sequence, last: 0 });
            events.count += 1;
            events.last = entry.sequence;
        }
        selected
    }
}

impl Encoder {
    /// The lines of the selected events of a batch.
    pub(super) fn encode<'b>(&mut self, batch: &'b Batch, selection: &Selection) -> Lines<'b> {
        match self {
            Self::Json if selection.is_everything() => Lines {
                bytes: batch.json().into(),
                ends: batch.entries().map(|(_, range)| range.end).collect(),
            },
            Self::Json => select_json(batch, selection),
            Self::Compact(format) => {
                let mut lines = Vec::new();
                let mut ends = Vec::new();
                for event in batch.events().iter().filter(|event| selection.takes(event.action())) {
                    format.write(event, &mut lines);
                    ends.push(lines.len());
                }
                Lines { bytes: lines.into(), ends }
            }
        }
    }

    /// The line that says what this output lost. It is not an event of the stream, so no end is counted.
    pub(super) fn encode_loss(
        &mut self,
        output: &Arc<str>,
        events: Events,
        host: &Shared<Host>,
        now: Timestamp,
    ) -> Lines<'static> {
        let mut event = Event::new(Action::Loss, now, host.clone());
        event.loss = Some(Loss {
            reason: LossReason::SubscriberSlow,
            count: events.count,
            action: None,
            output: Some(output.clone()),
            first_sequence: Some(events.first),
            last_sequence: Some(events.last),
        });
        let mut line = Vec::new();
        match self {
            Self::Json => {
                json::encode(&event, &mut line);
                line.push(b'\n');
            }
            Self::Compact(format) => format.write(&event, &mut line),
        }
        Lines { bytes: line.into(), ends: Vec::new() }
    }
}

fn select_json(batch: &Batch, selection: &Selection) -> Lines<'static> {
    let mut lines = Vec::new();
    let mut ends = Vec::new();
    for (_, range) in batch.entries().filter(|(entry, _)| selection.takes(entry.action)) {
        lines.extend_from_slice(batch.json().get(range).unwrap_or_default());
        ends.push(lines.len());
    }
    Lines { bytes: lines.into(), ends }
}

#[cfg(test)]
mod tests {
    use collector_event::{Action, Event, LossReason, Shared, Timestamp};

    use super::{Encoder, Events};
    use crate::{batch::BatchBuilder, output::selection::Selection};

    #[test]
    fn a_selection_takes_whole_lines_and_says_which_they_are() {
        let mut builder = BatchBuilder::new(false);
        for (sequence, action) in (1..).zip([Action::AgentStart, Action::Exec, Action::Exit, Action::Exec]) {
            let mut event = Event::new(action, Timestamp(0), Shared::default());
            event.event.sequence = Some(sequence);
            builder.push(Box::new(event));
        }
        let batch = builder.finish().unwrap();
        let selection = Selection::of([Action::Exec]);
        assert_eq!(selection.of_batch(&batch), Some(Events { count: 3, first: 1, last: 4 }));
        let lines = Encoder::Json.encode(&batch, &selection);
        assert_eq!(lines.ends.len(), 3);
        let text = str::from_utf8(&lines.bytes).unwrap();
        let actions: Vec<_> =
            text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().action()).collect();
        assert_eq!(actions, [Action::AgentStart, Action::Exec, Action::Exec]);
        let all = Encoder::Json.encode(&batch, &Selection::default());
        assert_eq!((all.ends.len(), all.bytes.len()), (4, batch.json().len()));
    }

    #[test]
    fn a_loss_names_the_output_and_has_no_place_in_the_stream() {
        let events = Events { count: 3, first: 7, last: 12 };
        let name = "file:/x".into();
        let lines = Encoder::Json.encode_loss(&name, events, &Shared::default(), Timestamp(5));
        let event: Event = serde_json::from_slice(&lines.bytes).unwrap();
        assert_eq!((event.event.sequence, event.event.id), (None, None));
        let loss = event.loss.unwrap();
        assert_eq!((loss.reason, loss.count, loss.output), (LossReason::SubscriberSlow, 3, Some(name)));
        assert_eq!((loss.first_sequence, loss.last_sequence), (Some(7), Some(12)));
    }
}
