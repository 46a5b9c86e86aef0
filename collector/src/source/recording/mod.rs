//! Recordings of raw records: what the kernel side sent, byte for byte, with the facts of the machine it came from.

mod error;
pub mod format;
mod reader;
mod recorder;
mod writer;

pub use self::{
    error::RecordingError,
    format::Head,
    reader::{Progress, Recording},
    recorder::Recorder,
};
