//! Watches every exec, exit and connect of a Linux machine with eBPF and gives each as a complete event.
//!
//! [`Collector`] is a stream of [`event::Event`]s; the `collector` binary is built on it. ARCHITECTURE.md of the
//! repository shows the rooms and which way the data flows through them.

#![deny(unsafe_code)]

mod collector;

pub mod clock;
pub mod config;
pub mod decode;
pub mod doctor;
pub mod encode;
pub mod enrich;
pub mod errno;
pub mod event;
pub mod filter;
pub mod inspect;
pub mod known;
pub mod load;
pub mod machine;
pub mod pipeline;
pub mod process;
pub mod procfs;
mod reload;
pub mod signal;
pub mod sinks;
pub mod source;
pub mod sys;
mod syscall;
pub mod text;
pub mod wake;
mod word;

pub use self::{
    collector::{Builder, Collector, StartError, go_before_others},
    reload::Reloader,
};
