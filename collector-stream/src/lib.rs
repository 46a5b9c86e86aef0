//! Carries the stream of collector away: formats and outputs.

#![forbid(unsafe_code)]

pub mod format;
#[cfg(feature = "output")]
pub mod output;
