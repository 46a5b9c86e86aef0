//! What could not be read, and why: `capture.missing`.

use super::model::Inspection;
use crate::{event::Capture, fact::Reason, procfs::ReadError};

/// What was read for a field; if it could not be read, notes why and returns `None`.
pub(super) fn or_missing<T>(
    inspection: &mut Inspection,
    field: &'static str,
    read: Result<T, ReadError>,
) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(error) => {
            let is_kernel = inspection.process.is_kernel == Some(true);
            let reason = match Reason::from(error) {
                Reason::Exited if is_kernel => Reason::KernelTask,
                reason => reason,
            };
            note_missing(&mut inspection.capture, field, reason);
            None
        }
    }
}

/// Notes why a field is missing.
pub(super) fn note_missing(capture: &mut Capture, field: &'static str, reason: Reason) {
    capture.missing.insert(field.into(), reason.into());
}
