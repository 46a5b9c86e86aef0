//! What `/proc` says about one process: a reader that never confuses two processes, and pure parsers.
//!
//! Readers read and parsers parse: [`Proc`] and [`ProcessDir`] do the I/O, and every other function here takes
//! `&[u8]` and returns values, so that a test needs no process. Nothing here decides about events.
//!
//! Three facts shape this room:
//!
//! - A process may be gone before it is read. That is an ordinary result, [`ReadError::Exited`], and cheap to make.
//! - A pid is reused. A [`ProcessDir`] is checked against the start time once, when it is opened; from then on the
//!   kernel itself ties the handle to that one process.
//! - What a process says about itself is untrusted: its comm, its link targets, and above all the files below its
//!   root.

mod below_root;
pub mod cgroup;
pub mod descriptor;
mod error;
mod file;
pub mod id_map;
mod image;
pub mod link;
pub mod mapping;
pub mod mountinfo;
pub mod passwd;
mod process_dir;
mod root;
pub mod stat;
mod thread;

pub use collector_event::split_nul;
pub use error::{OpenProcError, ReadError};
pub use file::{Namespace, ProcFile, ProcLink, Read};
pub use image::RunningImage;
pub use process_dir::ProcessDir;
pub use root::Proc;
pub use stat::{StartTicks, Stat};
