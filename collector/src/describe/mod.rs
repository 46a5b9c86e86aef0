//! The parts of events: `Describer` makes them of what the tracker knows, a file for each kind of part.
//!
//! Nothing here changes the process table. Parts that many events share are made once.

mod ancestry;
pub(crate) mod capability;
pub mod cgroup;
mod community_id;
mod connection;
mod credentials;
mod describer;
mod exit;
mod interner;
mod membership;
mod notes;
mod process;
pub mod user;

pub use self::cgroup::Cgroups;
pub(crate) use self::{
    ancestry::{above, add_above, parent},
    connection::{add_ends, add_outcome},
    describer::Describer,
    exit::add_exit,
    notes::Notes,
    process::add_environment,
};
