//! Bounds of digests.

use std::time::Duration;

use crate::{checksum::Algorithms, defaults};

/// What to compute for a file. A reload may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestLimits {
    /// The checksums to compute.
    pub algorithms: Algorithms,
    /// Larger files, in bytes, get no digest.
    pub max_size: u64,
    /// How long an event waits for a digest that is not cached.
    pub wait: Duration,
}

impl Default for DigestLimits {
    fn default() -> Self {
        Self {
            algorithms: Algorithms::ALL,
            max_size: defaults::DIGEST_MAX_BYTES,
            wait: Duration::from_millis(defaults::DIGEST_WAIT_MS),
        }
    }
}

/// Options of [`Digests`](super::Digests).
#[derive(Clone, Copy, Debug)]
pub struct DigestOptions {
    /// The part that a reload may change.
    pub limits: DigestLimits,
    /// Files whose digests are cached.
    pub cache_entries: usize,
}

impl Default for DigestOptions {
    fn default() -> Self {
        Self { limits: DigestLimits::default(), cache_entries: defaults::DIGEST_CACHE_ENTRIES }
    }
}
