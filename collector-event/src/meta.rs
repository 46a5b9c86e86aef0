//! `event.*`: what kind of event it is.

use std::{borrow::Cow, error, fmt, str::FromStr};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EventId;

/// `event.kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum Kind {
    /// Something happened.
    Event,
    /// The state of something: the agent, or a process that ran before it.
    State,
    /// Something was lost.
    PipelineError,
    /// A kind that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// `event.category`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum Category {
    Host,
    Process,
    Network,
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// `event.type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum Type {
    Info,
    Start,
    End,
    Connection,
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// `event.outcome`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum Outcome {
    Success,
    Failure,
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// Declares [`Action`] with what each implies.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $name:literal $kind:ident [$($category:ident),*] [$($type:ident),*];)*) => {
        /// `event.action`: what happened.
        ///
        /// ```
        /// use collector_event::{Action, Category};
        ///
        /// let action: Action = "connect-result".parse()?;
        /// assert_eq!(action, Action::ConnectResult);
        /// assert_eq!(action.to_string(), "connect-result");
        /// assert_eq!(action.category(), [Category::Network]);
        /// # Ok::<(), collector_event::UnknownAction>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        // The example is not part of the schema.
        #[cfg_attr(feature = "schema", schemars(description = "`event.action`: what happened."))]
        #[cfg_attr(not(feature = "construct"), non_exhaustive)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $action,)*
            /// An action that this version does not know.
            #[serde(other, rename = "unknown")]
            #[cfg_attr(feature = "schema", schemars(skip))]
            Unknown,
        }

        impl Action {
            /// All actions that this version writes.
            pub const ALL: &'static [Self] = &[$(Self::$action),*];

            /// As it is written.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)* Self::Unknown => "unknown" }
            }

            /// `event.kind` that goes with it.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$action => Kind::$kind,)* Self::Unknown => Kind::Unknown }
            }

            /// `event.category` that goes with it.
            #[must_use]
            pub fn category(self) -> &'static [Category] {
                match self { $(Self::$action => &[$(Category::$category),*],)* Self::Unknown => &[] }
            }

            /// `event.type` that goes with it.
            #[must_use]
            pub fn types(self) -> &'static [Type] {
                match self { $(Self::$action => &[$(Type::$type),*],)* Self::Unknown => &[] }
            }
        }
    };
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is not the name of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAction(String);

impl fmt::Display for UnknownAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an action", self.0)
    }
}

impl error::Error for UnknownAction {}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(name: &str) -> Result<Self, UnknownAction> {
        let known = Self::ALL.iter().find(|action| action.name() == name);
        known.copied().ok_or_else(|| UnknownAction(name.to_owned()))
    }
}

actions! {
    /// First event of a run, once every program is attached.
    AgentStart "agent-start" State [Host] [Info];
    /// A process that ran before the agent.
    Snapshot "snapshot" State [Process] [Info];
    /// A new process.
    Fork "fork" Event [Process] [Start];
    /// A process replaced its image.
    Exec "exec" Event [Process] [Start];
    /// The last thread of a process ended.
    Exit "exit" Event [Process] [End];
    /// A connection began.
    Connect "connect" Event [Network] [Connection, Start];
    /// A TCP connect succeeded or failed.
    ConnectResult "connect-result" Event [Network] [Connection, Info];
    /// Digests that were not ready in time for their exec.
    Checksums "checksums" Event [Process] [Info];
    /// Events were lost.
    Loss "loss" PipelineError [Host] [Info];
    /// Last event of an orderly run.
    AgentStop "agent-stop" State [Host] [Info];
}

/// `event.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend(
    "if" = { "properties": { "action": { "const": "loss" } } },
    "else" = { "required": ["sequence", "id"] }
)))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Meta {
    /// Follows from the action.
    pub kind: Kind,
    /// Follows from the action.
    pub category: Cow<'static, [Category]>,
    /// Follows from the action.
    #[serde(rename = "type")]
    pub types: Cow<'static, [Type]>,
    /// What happened.
    pub action: Action,
    /// 1, 2, 3 … in each run of the agent, without a gap. Absent on the loss of an output, which is not part of the stream.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub sequence: Option<u64>,
    /// `<boot id>:<agent start, ns since boot>:<sequence>`; absent without a sequence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<EventId>,
    /// How a connect ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// How long a connect took, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration: Option<u64>,
}

impl Meta {
    /// Of this action, without a place in the stream: the sequence and the id come later.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            kind: action.kind(),
            category: action.category().into(),
            types: action.types().into(),
            action,
            sequence: None,
            id: None,
            outcome: None,
            duration: None,
        }
    }
}
