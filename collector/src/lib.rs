//! Watches every exec, exit and connect of a Linux machine with eBPF and gives each as a complete event.
//!
//! [`Collector`] is a stream of [`event::Event`]s; the `collector` binary is built on it. ARCHITECTURE.md of the
//! repository shows the rooms and which way the data flows through them.

mod collector;

pub mod checksum;
pub mod clock;
pub mod config;
pub mod decode;
mod defaults;
pub mod digest;
pub mod doctor;
pub mod enrich;
pub mod errno;
mod file_calls;
pub mod filter;
pub mod inspect;
pub mod known;
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
pub mod wake_event;
mod word;

pub use collector_event as event;
pub use collector_stream::{self as stream, units};

pub use self::{
    collector::{Builder, Collector, StartError, go_before_others},
    reload::Reloader,
};
