//! Outputs: each has its own buffer, thread, format, selection and policies, and none delays another.

mod bell;
mod buffer;
mod config;
mod descriptor;
mod destination;
mod encoder;
mod fanout;
mod file;
mod line_writer;
mod mode;
mod selection;
mod sink;
mod stdout;
mod tail;
mod worker;

pub use self::{
    config::{BUFFER_MAX, BUFFER_MIN, OutputConfig, OutputConfigError, WhenClosed, WhenFull},
    destination::{Destination, DestinationError},
    fanout::{Fanout, FanoutHandle, Opened, OutputReport, Style, open},
    mode::{Mode, ModeError},
    selection::Selection,
    sink::OpenError,
    worker::Ending,
};
