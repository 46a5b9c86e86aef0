//! Writes sizes and times as a user would: `8MiB`, `100ms`.

use serde::{Serialize as _, Serializer};

use crate::stream::units::{ByteSize, Millis};

pub(super) fn size<S: Serializer, N: Copy + Into<u64>>(bytes: &N, serializer: S) -> Result<S::Ok, S::Error> {
    ByteSize((*bytes).into()).serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn millis<S: Serializer>(millis: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    Millis(*millis).serialize(serializer)
}
