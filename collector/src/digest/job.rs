//! What a worker gets and gives back.

use super::{
    limits::DigestLimits,
    locator::FileLocator,
    observed_file::{Key, ObservedFile},
};
use crate::event::{HashSource, Hashes, Shared};

/// A file to read.
#[derive(Debug)]
pub(super) struct Job {
    /// Key of its digests in the cache.
    pub key: Key,
    /// What it must be.
    pub file: ObservedFile,
    /// Where it may be.
    pub locator: FileLocator,
    /// What to compute.
    pub limits: DigestLimits,
}

/// Digests of a file, and what they were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The digests.
    pub hashes: Shared<Hashes>,
    /// What was read.
    pub source: HashSource,
}

/// Digests and what proves that they are those of the image.
#[derive(Debug)]
pub(super) struct ProvedDigest {
    /// The digests.
    pub digest: Digest,
    /// Since when a process has run the file, in nanoseconds since boot; `None` where its change time is the proof.
    pub from_ns: Option<u64>,
}

impl Job {
    /// The digests of this job's file. `by_running`: the job's own process proves them.
    pub(super) fn proved(&self, hashes: Hashes, source: HashSource, by_running: bool) -> ProvedDigest {
        ProvedDigest {
            digest: Digest { hashes: hashes.into(), source },
            from_ns: by_running.then_some(self.file.at_ns),
        }
    }
}
