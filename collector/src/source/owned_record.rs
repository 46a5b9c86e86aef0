//! [`OwnedRecord`]: a copy of a record.

use zerocopy::IntoBytes as _;

/// A copy of a record, aligned to 8 bytes as records in the ring are.
#[derive(Clone, Debug)]
pub struct OwnedRecord {
    words: Vec<u64>,
    len: usize,
}

impl OwnedRecord {
    /// Copies a record.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> Self {
        let mut record = Self::zeroed(bytes.len());
        record.bytes_mut().copy_from_slice(bytes);
        record
    }

    /// A record of `len` zeros, to be filled.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(8)], len }
    }

    /// The record.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.words.as_bytes().get(..self.len).unwrap_or_default()
    }

    /// The record, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.words.as_mut_bytes().get_mut(..self.len).unwrap_or_default()
    }
}
