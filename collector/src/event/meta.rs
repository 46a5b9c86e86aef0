//! `event.*`: what kind of record it is.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EventId;

/// `event.kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something happened.
    Event,
    /// How something is: the agent, a process that ran before it.
    State,
    /// Something was lost.
    PipelineError,
}

/// `event.category`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
pub enum Category {
    Host,
    Process,
    Network,
}

/// `event.type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
pub enum Type {
    Info,
    Start,
    End,
    Connection,
}

/// `event.outcome`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
pub enum Outcome {
    Success,
    Failure,
}

/// Declares [`Action`] with what each implies.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $name:literal $kind:ident [$($category:ident),*] [$($type:ident),*];)*) => {
        /// `event.action`: what happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $action,)*
        }

        impl Action {
            /// All actions.
            pub const ALL: &'static [Self] = &[$(Self::$action),*];

            /// As it is written.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)* }
            }

            /// `event.kind` that goes with it.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$action => Kind::$kind,)* }
            }

            /// `event.category` that goes with it.
            #[must_use]
            pub fn category(self) -> &'static [Category] {
                match self { $(Self::$action => &[$(Category::$category),*],)* }
            }

            /// `event.type` that goes with it.
            #[must_use]
            pub fn types(self) -> &'static [Type] {
                match self { $(Self::$action => &[$(Type::$type),*],)* }
            }
        }
    };
}

actions! {
    /// First record of a run, once everything is attached.
    AgentStart "agent-start" State [Host] [Info];
    /// A process that ran before the agent.
    Snapshot "snapshot" State [Process] [Info];
    /// A new process.
    Fork "fork" Event [Process] [Start];
    /// A process replaced its image.
    Exec "exec" Event [Process] [Start];
    /// The last thread of a process ended.
    Exit "exit" Event [Process] [End];
    /// A connection was begun.
    Connect "connect" Event [Network] [Connection, Start];
    /// A TCP connect came to its end.
    ConnectResult "connect-result" Event [Network] [Connection, Info];
    /// Digests that were not ready when their exec had to be written.
    Checksums "checksums" Event [Process] [Info];
    /// Events were lost.
    Loss "loss" PipelineError [Host] [Info];
    /// Last record of an orderly run.
    AgentStop "agent-stop" State [Host] [Info];
}

/// `event.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// 1, 2, 3 … per run of the agent, without a hole.
    #[schemars(range(min = 1))]
    pub sequence: u64,
    /// `<boot id>:<agent start, ns since boot>:<sequence>`.
    pub id: EventId,
    /// How a connect ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// How long a connect took, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration: Option<u64>,
}

impl Meta {
    /// Of this action. Sequence and id are given when the record takes its place in the stream.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            kind: action.kind(),
            category: action.category().into(),
            types: action.types().into(),
            action,
            sequence: 0,
            id: EventId::default(),
            outcome: None,
            duration: None,
        }
    }
}
