//! Carries the stream of collector away: formats and outputs.

pub mod format;
#[cfg(feature = "output")]
pub mod output;
pub mod units;
