//! The events that can be configured.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::event::Action;

/// The events that can be configured. The others are written without it, or by another key.
pub(super) const WANTED: [Action; 5] =
    [Action::Fork, Action::Exec, Action::Exit, Action::Connect, Action::ConnectResult];

/// Reads a list of events. Names of other records are refused with the names that are allowed.
pub(super) fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Action>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    let event = |word: &String| {
        let found = WANTED.into_iter().find(|action| action.name() == word);
        found
            .ok_or_else(|| D::Error::custom(format_args!("{word:?} is not an event; events are {}", names())))
    };
    words.iter().map(event).collect()
}

pub(super) fn names() -> String {
    WANTED.map(Action::name).join(", ")
}
