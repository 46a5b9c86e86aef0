//! Shared by the benchmarks: records as the kernel side sends them, and the path from them to lines.

pub(crate) mod line;
pub(crate) mod records;
