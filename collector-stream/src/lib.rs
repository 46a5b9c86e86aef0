//! Carries the stream of collector away.
//!
//! The agent encodes each event once and puts it into a [`batch`]. [`output`] offers the batches to any number of outputs,
//! each with a buffer, a thread, a [`format`](mod@format), a selection and policies of its own.

#![forbid(unsafe_code)]

pub mod batch;
pub mod format;
#[cfg(feature = "output")]
pub mod output;
pub mod units;
mod word;
