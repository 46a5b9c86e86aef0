//! The events that an output takes.

use std::{collections::BTreeSet, str::FromStr};

use collector_event::Action;
use serde::{Deserialize, Serialize};

/// The actions that an output takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Selection(BTreeSet<Action>);

impl Selection {
    /// Of these actions. None at all selects everything.
    #[must_use]
    pub fn of(actions: impl IntoIterator<Item = Action>) -> Self {
        Self(actions.into_iter().collect())
    }

    /// Whether no event is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the output takes events of this action. The agent's own records always come, a connect brings its result, and
    /// late digests come with the actions that can lack them.
    #[must_use]
    pub fn takes(&self, action: Action) -> bool {
        match action {
            Action::AgentStart | Action::AgentStop | Action::Loss | Action::Checksums => true,
            Action::ConnectResult if self.0.contains(&Action::Connect) => true,
            _ => self.is_everything() || self.0.contains(&action),
        }
    }
}

impl FromStr for Selection {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.split('+').map(|name| name.parse().map_err(drop)).collect::<Result<_, ()>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use collector_event::Action;

    use super::Selection;

    #[test]
    fn a_selection_keeps_what_explains_the_stream() {
        let selection = Selection::of([Action::Connect]);
        for action in
            [Action::AgentStart, Action::Loss, Action::AgentStop, Action::Connect, Action::ConnectResult]
        {
            assert!(selection.takes(action), "{action}");
        }
        assert!(!selection.takes(Action::Exec));
        assert!(Selection::default().takes(Action::Exec));
    }
}
