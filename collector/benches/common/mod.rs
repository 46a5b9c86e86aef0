//! Shared by the benchmarks: records as the kernel side sends them, the path from records to lines, and lookups of
//! processes.

pub(crate) mod environ;
pub(crate) mod known;
pub(crate) mod line;
pub(crate) mod records;
