//! Checksum algorithms: the configuration names them, the digest room computes them.

use serde::Deserialize;

/// A checksum algorithm, as the configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is the algorithm of its name")]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
}

/// A set of checksum algorithms. A configuration writes it as a list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "Vec<Algorithm>")]
#[expect(missing_docs, reason = "each is the algorithm of its name")]
pub struct Algorithms {
    pub md5: bool,
    pub sha1: bool,
    pub sha256: bool,
}

impl Algorithms {
    /// Every algorithm.
    pub const ALL: Self = Self { md5: true, sha1: true, sha256: true };
    /// No algorithm: checksums are switched off.
    pub const NONE: Self = Self { md5: false, sha1: false, sha256: false };

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

impl From<Vec<Algorithm>> for Algorithms {
    fn from(list: Vec<Algorithm>) -> Self {
        let has = |algorithm| list.contains(&algorithm);
        Self { md5: has(Algorithm::Md5), sha1: has(Algorithm::Sha1), sha256: has(Algorithm::Sha256) }
    }
}
