//! Watches every exec, exit and connect of a Linux machine with eBPF and gives each as a complete event.
//!
//! [`Collector`] is a stream of [`event::Event`]s, or of batches of encoded ones for the outputs in [`stream`]; [`Builder`]
//! configures and starts it, [`Handle`] controls it. It takes root or a few capabilities, and Linux 5.8 or newer; a
//! [replay](Builder::replay) of a recording takes neither.
//!
//! ```no_run
//! use collector::{Collector, event::Action};
//!
//! let mut events = Collector::builder().events([Action::Exec, Action::Exit]).start()?;
//! while let Some(event) = events.wait() {
//!     let event = event?;
//!     println!("{} {}", event.timestamp, event.action());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The kernel programs
//!
//! The crate embeds a compiled object for the kernel. The build takes it from the path in `COLLECTOR_BPF_OBJECT`, or else from
//! `bpf/ARCH/collector-ebpf.o` below the target directory, where `cargo xtask build` in the repository puts it, or below the
//! package. Without it the crate builds with a warning, and [`Builder::start`] returns [`LoadError::NoObject`]; everything
//! else works, a replay too.
//!
//! # Features
//!
//! `cli`, a default feature, is the binary. A program that embeds the agent depends on it with `default-features = false`, and
//! gets no parser of command lines or configuration files and no logger. `output`, which `cli` brings, adds outputs to stdout and
//! files to [`stream`].
//!
//! # Back-pressure
//!
//! A consumer that is slow never delays the kernel or the agent. Events wait in a queue of `queue.events`; when it is full,
//! further events are counted and reported in the stream as a [`Loss`](event::Loss), and `seen = written + filtered + lost` holds
//! for each action in [`Handle::counters`] and on `agent-stop`.

#![deny(unsafe_code)]

mod builder;
pub mod checksum;
mod collector;
pub mod config;
mod defaults;
#[cfg(test)]
mod fake_proc;
mod file_calls;
pub mod filter;
mod interned;
mod prepared;
mod reload;
mod start_error;
mod word;

// Not part of the public API: for the binary, and for tests, fuzzers and benches of the workspace.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod decode;
#[doc(hidden)]
pub mod describe;
#[doc(hidden)]
pub mod digest;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod doctor;
#[doc(hidden)]
pub mod enrich;
#[doc(hidden)]
pub mod errno;
#[doc(hidden)]
pub mod fact;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod inspect;
#[doc(hidden)]
pub mod linux;
#[doc(hidden)]
pub mod load;
#[doc(hidden)]
pub mod machine;
#[doc(hidden)]
pub mod options;
#[doc(hidden)]
pub mod pipeline;
#[doc(hidden)]
pub mod process;
#[doc(hidden)]
pub mod procfs;
#[doc(hidden)]
pub mod redact;
#[doc(hidden)]
pub mod signal;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod track;
#[doc(hidden)]
pub mod wake_event;

pub use collector_event as event;
pub use collector_stream as stream;

pub use self::{
    builder::Builder,
    collector::{Collector, Handle, RunError, set_thread_nice},
    config::{Config, ConfigError},
    start_error::StartError,
};
// Within errors and results of the above.
#[doc(inline)]
pub use self::{
    load::{Capability, LoadCause, LoadError, btf::BtfError},
    procfs::OpenProcError,
    source::{
        Damage, DamageCause,
        recording::{Progress, RecordingError},
    },
};
