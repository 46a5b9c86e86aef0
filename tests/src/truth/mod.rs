//! The truth, read without the agent: /proc, stat(2), the user database, the clocks.

pub mod cgroups;
pub mod clock;
pub mod files;
pub mod names;
pub mod process;
pub mod procfs;
