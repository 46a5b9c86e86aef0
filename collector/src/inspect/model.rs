//! What `collector inspect` writes out about one live process.

mod descriptor;
mod resources;
mod status;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::{
    descriptor::{Descriptor, Dump, End, Kind, Socket, Sockets},
    resources::{Cpu, Io, Limit, Mapping, Memory, Rollup, Thread},
    status::{CapabilitySets, Signals, State, Status},
};
use crate::event::{self, Capture, Container, Timestamp};

/// Value of [`Inspection::schema`].
pub const SCHEMA: &str = "collector-inspect/1.0";

/// Everything about one process, as it was at one moment or a few after it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Inspection {
    /// When it was read.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// `collector-inspect/1.0`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: Cow<'static, str>,
    /// It ended while it was read: the other fields hold what was read before that.
    pub vanished: bool,
    /// The same fields as on the events of the stream.
    pub process: Box<event::Process>,
    /// The container that it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// State, signals, capabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The CPU time that it has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// The memory that it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// How much it has read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io: Option<Io>,
    /// Its resource limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<Limit>>,
    /// Its threads, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<Vec<Thread>>,
    /// The kernel functions that its main thread is in, innermost first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_stack: Option<Vec<String>>,
    /// Its mappings, summed up by file, in the order of addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mappings: Option<Vec<Mapping>>,
    /// Its open descriptors, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Vec<Descriptor>>,
    /// How its sockets were looked up; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<Sockets>,
    /// Its root directory, if that is not `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What is missing and why, what was cut, what is not UTF-8.
    #[serde(skip_serializing_if = "Capture::is_empty", default)]
    pub capture: Capture,
}
