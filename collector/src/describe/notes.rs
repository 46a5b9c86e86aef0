//! `capture.*`: what a record says about its own fields.

use std::{borrow::Cow, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    event::{self, Capture},
    fact::{Fact, Reason},
    text::Text,
    track::Args,
};

/// Writes the `capture` of one event. Each method returns the value of a field and notes what `capture` says of it.
pub(crate) struct Notes<'a> {
    capture: &'a mut Capture,
    inherited: bool,
}

impl<'a> Notes<'a> {
    /// For the fields of one event.
    pub(crate) fn new(capture: &'a mut Capture) -> Self {
        Self { capture, inherited: false }
    }

    /// For fields that come from the parent if `inherited`.
    pub(super) fn inherited(&mut self, inherited: bool) -> Notes<'_> {
        Notes { capture: self.capture, inherited }
    }

    /// The value of a field, whose origin is noted.
    pub(crate) fn take<T, U>(
        &mut self,
        name: &'static str,
        fact: &Fact<T>,
        write: impl FnOnce(&T) -> U,
    ) -> Option<U> {
        if let Fact::Value { origin, .. } = fact {
            let origin = if self.inherited { Some(event::Origin::Parent) } else { origin.to_event() };
            if let Some(origin) = origin {
                self.capture.origin.insert(name.into(), origin);
            }
        }
        self.value(name, fact).map(write)
    }

    /// The value of a field that has only one likely origin.
    pub(super) fn value<'f, T>(&mut self, name: &'static str, fact: &'f Fact<T>) -> Option<&'f T> {
        match fact {
            Fact::Value { value, full, .. } => {
                if let Some(full) = full {
                    self.truncated(name, *full);
                }
                Some(value)
            }
            Fact::Missing(reason) => {
                self.missing(name, *reason);
                None
            }
            Fact::NotApplicable => None,
        }
    }

    /// Notes why a field is absent.
    pub(crate) fn missing(&mut self, name: impl Into<Cow<'static, str>>, reason: Reason) {
        self.capture.missing.insert(name.into(), reason.into());
    }

    /// Notes the full size of a field that was cut.
    pub(super) fn truncated(&mut self, name: &'static str, full: u64) {
        self.capture.truncated.insert(name.into(), full);
    }

    /// A text, with its exact bytes if it is not UTF-8.
    pub(super) fn text(&mut self, name: &'static str, fact: &Fact<Text>) -> Option<Arc<str>> {
        if let Some(text) = fact.value() {
            self.exact_text(name, text);
        }
        self.take(name, fact, |text| text.shown().clone())
    }

    /// Keeps the exact bytes of a text that is not UTF-8.
    pub(super) fn exact_text(&mut self, name: &str, text: &Text) {
        if let Some(exact) = text.inexact() {
            self.exact(name.to_owned(), exact);
        }
    }

    fn exact(&mut self, path: String, bytes: &[u8]) {
        self.capture.bytes.insert(path, BASE64_STANDARD.encode(bytes));
    }

    /// Notes which members of a list are not exact, and which have a hidden part.
    pub(super) fn list(&mut self, name: &str, inexact: &[(usize, Box<[u8]>)], redacted: &[usize]) {
        for (place, exact) in inexact {
            self.exact(format!("{name}[{place}]"), exact);
        }
        self.capture.redacted.extend(redacted.iter().map(|place| format!("{name}[{place}]")));
    }

    /// Notes which arguments are not exact, and which have a hidden part.
    pub(super) fn args(&mut self, name: &str, args: &Fact<Args>) {
        if let Some(args) = args.value() {
            self.list(name, &args.inexact, &args.redacted);
        }
    }
}
