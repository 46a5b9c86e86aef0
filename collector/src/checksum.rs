//! Checksum algorithms: the configuration names them, the digest room computes them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A checksum algorithm, as the configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the algorithm of its name")]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
}

/// A set of checksum algorithms. A configuration writes it as a list of names.
///
/// ```
/// use collector::checksum::{Algorithm, Algorithms};
///
/// let algorithms: Algorithms = [Algorithm::Sha256, "md5".parse()?].into_iter().collect();
/// assert!(algorithms.sha256 && algorithms.md5 && !algorithms.sha1);
/// # Ok::<(), collector::checksum::UnknownAlgorithm>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Algorithm>", into = "Vec<Algorithm>")]
#[non_exhaustive]
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

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha1, Self::Sha256];

    /// As a configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is not the name of an algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a checksum algorithm; algorithms are md5, sha1, sha256")]
pub struct UnknownAlgorithm {
    word: String,
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(word: &str) -> Result<Self, UnknownAlgorithm> {
        let named = Self::ALL.into_iter().find(|algorithm| algorithm.name() == word);
        named.ok_or_else(|| UnknownAlgorithm { word: word.to_owned() })
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        let mut set = Self::NONE;
        for algorithm in algorithms {
            match algorithm {
                Algorithm::Md5 => set.md5 = true,
                Algorithm::Sha1 => set.sha1 = true,
                Algorithm::Sha256 => set.sha256 = true,
            }
        }
        set
    }
}

impl From<Vec<Algorithm>> for Algorithms {
    fn from(list: Vec<Algorithm>) -> Self {
        list.into_iter().collect()
    }
}

impl From<Algorithms> for Vec<Algorithm> {
    fn from(Algorithms { md5, sha1, sha256 }: Algorithms) -> Self {
        let chosen = Algorithm::ALL.into_iter().zip([md5, sha1, sha256]);
        chosen.filter_map(|(algorithm, is_chosen)| is_chosen.then_some(algorithm)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Algorithms};

    #[test]
    fn an_algorithm_is_read_by_the_name_that_it_is_written_with() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_string(&algorithm).unwrap(), format!("\"{algorithm}\""));
        }
        let error = "SHA256".parse::<Algorithm>().unwrap_err().to_string();
        assert!(error.contains("\"SHA256\"") && error.contains("md5, sha1, sha256"), "{error}");
    }

    #[test]
    fn a_set_is_written_as_the_list_that_it_is_read_from() {
        for list in ["[]", "[\"sha1\"]", "[\"md5\",\"sha1\",\"sha256\"]"] {
            let set: Algorithms = serde_json::from_str(list).unwrap();
            assert_eq!(serde_json::to_string(&set).unwrap(), list);
        }
    }
}
