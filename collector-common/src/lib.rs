//! What crosses from the kernel to the agent: records, the offsets that the programs need, counters and limits.
//!
//! Both sides compile this crate, so they agree about the bytes. Every wire type consists of integers and byte
//! arrays, has no padding, and asserts its size; the derives of zerocopy turn a mistake into a compile error. There
//! is no I/O here and no `unsafe`.
#![no_std]
#![forbid(unsafe_code)]

mod connect;
mod counters;
mod exec;
mod exit;
mod filter;
mod limits;
mod offsets;
mod record;
mod task;

pub use connect::{
    ConnectRecord, ConnectResultRecord, Endpoints, FAMILY_IPV4, FAMILY_IPV6, PROTOCOL_TCP, PROTOCOL_UDP,
};
pub use counters::{Counters, Loss};
pub use exec::{ExecRecord, FileIdentity, Piece};
pub use exit::ExitRecord;
pub use filter::*;
pub use limits::*;
pub use offsets::{ABSENT, Field, FieldKind, Need, Offsets};
pub use record::{Kind, RecordHeader, WIRE_VERSION};
pub use task::{Credentials, NamespaceIds, PF_KTHREAD, TaskIdentity, TaskRecord, TaskState};
