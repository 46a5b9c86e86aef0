//! Shared by the benchmarks: records as the kernel side sends them, the path from them to lines, and what is asked of a
//! process.

pub(crate) mod environ;
pub(crate) mod known;
pub(crate) mod line;
pub(crate) mod records;
