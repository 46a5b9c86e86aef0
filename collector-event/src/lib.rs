//! The events of [collector](https://github.com/collector-agent/collector): plain data, without I/O, on any platform.
//!
//! A line of the stream is one [`Event`]. Read it with any serde format, usually JSON:
//!
//! ```
//! use collector_event::{Action, Event};
//!
//! let line = r#"{"@timestamp":"2026-11-23T07:15:23.687954865Z","schema":"collector/1.0","event":{"kind":"event",
//!     "category":["process"],"type":["end"],"action":"exit","sequence":3},"host":{},"process":{"pid":7,"exit_code":1}}"#;
//! let event: Event = serde_json::from_str(line)?;
//! assert_eq!(event.action(), Action::Exit);
//! assert_eq!(event.process.and_then(|process| process.exit_code), Some(1));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A field that is not known is absent, and [`Capture::missing`] has the reason. A reader accepts fields and values that it
//! does not know, since a minor version of the schema may add them; it refuses another major version. The contract of every
//! field is `docs/SCHEMA.md` of the repository; with the feature `schema`, `json_schema` is the same for machines.

#![forbid(unsafe_code)]

mod agent;
mod capture;
mod connection;
mod event;
mod ids;
mod meta;
mod nul;
mod process;
#[cfg(feature = "schema")]
mod schema;
pub mod shared;
mod strings;
mod time;
mod version;

#[doc(hidden)]
pub use self::nul::split_nul;
#[cfg(feature = "schema")]
pub use self::schema::{json_schema, schema_of};
pub use self::{
    agent::{Agent, AgentKind, Counters, CountersOf, Host, HostBoot, Loss, LossReason, OutputCounters},
    capture::{Capture, Origin, Reason},
    connection::{Connection, Direction, Endpoint, Error, Network, NetworkType, Transport},
    event::Event,
    ids::{EntityId, EventId, ExecId, IdError},
    meta::{Action, Category, Kind, Meta, Outcome, Type, UnknownAction},
    process::{
        Ancestor, Audit, Capabilities, Cgroup, CharDevice, Container, Exe, Exit, Group, HashSource, Hashes,
        Leader, Namespaces, Parent, Process, Thread, Tty, Usage, User,
    },
    shared::Shared,
    strings::Strings,
    time::{Timestamp, TimestampError},
    version::SchemaVersion,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The schema that this version of the crate writes: the value of [`Event::schema`].
pub const SCHEMA: &str = "collector/1.0";
