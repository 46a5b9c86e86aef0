//! The schema of the stream: the only types that are written out. SCHEMA.md is its text; `collector schema` prints it for
//! machines.
//!
//! A field that is not known is absent, and [`Capture::missing`] says why. Nothing here knows how events come about.

mod agent;
mod capture;
mod connection;
mod ids;
mod meta;
mod process;
mod shared;
mod strings;
mod time;

use std::borrow::Cow;

use schemars::{JsonSchema, generate::SchemaSettings, transform::RecursiveTransform};
use serde::{Deserialize, Serialize};

pub use self::{
    agent::{Agent, AgentKind, Counters, CountersOf, Host, HostBoot, Loss, LossReason},
    capture::{Capture, Origin, Reason},
    connection::{Connection, Direction, Endpoint, Error, Network, NetworkType, Transport},
    ids::{EventId, ExecId, IdError},
    meta::{Action, Category, Kind, Meta, Outcome, Type},
    process::{
        Ancestor, Audit, Capabilities, Cgroup, CharDevice, Container, Exe, Exit, Group, HashSource, Hashes,
        Leader, Namespaces, Parent, Process, Thread, Tty, Usage, User,
    },
    shared::Shared,
    strings::Strings,
    time::Timestamp,
};

/// Value of [`Event::schema`].
pub const SCHEMA: &str = "collector/1.0";

/// One record of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When it happened in the kernel.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// `collector/1.0`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: Cow<'static, str>,
    /// What kind of record it is.
    pub event: Meta,
    /// The machine.
    pub host: Shared<Host>,
    /// The agent, on `agent-start`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<Box<Agent>>,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub process: Option<Box<Process>>,
    /// The container that the process runs in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<Container>,
    /// The local end of a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Endpoint>,
    /// The remote end of a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<Endpoint>,
    /// What kind of connection it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<Network>,
    /// What joins a connect and its result.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection: Option<Connection>,
    /// Why a connect failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Error>,
    /// What was lost, on `loss`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loss: Option<Loss>,
    /// The counters of the whole run, on `agent-stop`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counters: Option<Box<Counters>>,
    /// How good this record is.
    #[serde(skip_serializing_if = "Capture::is_empty", default)]
    pub capture: Capture,
}

impl Event {
    /// A record of this action with nothing else in it yet.
    #[must_use]
    pub fn new(action: Action, timestamp: Timestamp, host: Shared<Host>) -> Self {
        Self {
            timestamp,
            schema: SCHEMA.into(),
            event: Meta::new(action),
            host,
            agent: None,
            process: None,
            container: None,
            source: None,
            destination: None,
            network: None,
            connection: None,
            error: None,
            loss: None,
            counters: None,
            capture: Capture::default(),
        }
    }

    /// What happened.
    #[must_use]
    pub fn action(&self) -> Action {
        self.event.action
    }
}

/// The JSON Schema of a record. A field that is not known is absent, and never null.
#[must_use]
pub fn json_schema() -> schemars::Schema {
    schema_of::<Event>()
}

/// The JSON Schema of a type whose fields are absent where they are not known.
#[must_use]
pub(crate) fn schema_of<T: JsonSchema>() -> schemars::Schema {
    let mut settings = SchemaSettings::draft2020_12();
    settings.transforms.push(Box::new(RecursiveTransform(without_null)));
    settings.into_generator().into_root_schema_for::<T>()
}

fn without_null(schema: &mut schemars::Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(types) = object.get_mut("type").and_then(|types| types.as_array_mut()) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(choices) = object.get_mut("anyOf").and_then(|choices| choices.as_array_mut()) {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    }
}
