//! Watches every exec, exit and connect of a Linux machine with eBPF and gives each as a complete event.
//!
//! [`Collector`] is a stream of [`event::Event`]s; the `collector` binary is built on it. ARCHITECTURE.md of the
//! repository shows the rooms and which way the data flows through them.

#![deny(unsafe_code)]

mod builder;
mod collector;

pub mod checksum;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod clock;
pub mod config;
pub mod decode;
mod defaults;
pub mod describe;
pub mod digest;
#[cfg(feature = "cli")]
pub mod doctor;
pub mod enrich;
pub mod errno;
pub mod fact;
#[cfg(test)]
mod fake_proc;
mod file_calls;
pub mod filter;
#[cfg(feature = "cli")]
pub mod inspect;
mod interned;
pub mod linux;
pub mod load;
pub mod machine;
#[doc(hidden)]
pub mod options;
pub mod pipeline;
pub mod process;
pub mod procfs;
pub mod redact;
mod reload;
pub mod signal;
pub mod source;
pub mod text;
pub mod track;
pub mod wake_event;
mod word;

pub use collector_event as event;
pub use collector_stream as stream;

pub use self::{
    builder::{Builder, StartError},
    collector::{Collector, Handle, RunError, set_thread_nice},
};
