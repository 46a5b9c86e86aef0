//! Processes and connections of a test's own making.

pub mod chosen_pid;
pub mod fuse;
pub mod images;
pub mod kinds;
pub mod listeners;
pub mod mounts;
pub mod netns;
pub mod reap;
pub mod spawn;
pub mod storm;
pub mod tiny;
pub mod tiny32;
