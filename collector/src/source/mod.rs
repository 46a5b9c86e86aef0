//! Where records come from: the kernel's ring, or a recording of it.

mod outcome;
mod owned_record;
mod record_source;
pub mod recording;
pub mod replay;
pub mod ring;

pub use self::{
    outcome::{Damage, DamageCause, Outcome},
    owned_record::OwnedRecord,
    record_source::RecordSource,
};
