//! All digests of a stream of bytes in one pass.

use std::{
    fs::File,
    io::{self, Read},
};

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::{checksum::Algorithms, event::Hashes, file_calls::pread};

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// The digests of all bytes of `source`, and their number. Reading stops after more than `limit` bytes.
pub(super) fn hash(
    source: &mut impl Read,
    algorithms: Algorithms,
    limit: u64,
) -> Result<(Hashes, u64), io::Error> {
    let mut hashers = Hashers::new(algorithms);
    let mut chunk = vec![0; CHUNK];
    let mut total = 0u64;
    while total <= limit {
        let len = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total = total.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        hashers.update(chunk.get(..len).unwrap_or_default());
    }
    Ok((hashers.finish(), total))
}

/// A file's bytes, from its beginning.
pub(super) struct Content<'f> {
    file: &'f File,
    place: u64,
}

impl<'f> Content<'f> {
    pub(super) fn of(file: &'f File) -> Self {
        Self { file, place: 0 }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = pread(self.file, buffer, self.place)?;
        self.place = self.place.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(len)
    }
}

/// The requested algorithms, fed with the same bytes.
struct Hashers {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl Hashers {
    fn new(algorithms: Algorithms) -> Self {
        Self {
            md5: algorithms.md5.then(Md5::new),
            sha1: algorithms.sha1.then(Sha1::new),
            sha256: algorithms.sha256.then(Sha256::new),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.sha1.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.sha256.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    fn finish(self) -> Hashes {
        Hashes {
            md5: self.md5.map(|hasher| hex(&hasher.finalize())),
            sha1: self.sha1.map(|hasher| hex(&hasher.finalize())),
            sha256: self.sha256.map(|hasher| hex(&hasher.finalize())),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::with_capacity(digest.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::hash;
    use crate::checksum::Algorithms;

    #[test]
    fn the_digests_are_those_of_rfc_1321_and_fips_180() {
        let (hashes, len) = hash(&mut &b"abc"[..], Algorithms::ALL, 3).unwrap();
        assert_eq!(len, 3);
        assert_eq!(hashes.md5.as_deref(), Some("900150983cd24fb0d6963f7d28e17f72"));
        assert_eq!(hashes.sha1.as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(
            hashes.sha256.as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
    }

    #[test]
    fn a_digest_that_was_not_requested_is_absent() {
        let algorithms = Algorithms { md5: false, sha1: false, sha256: true };
        let (hashes, _) = hash(&mut &b"abc"[..], algorithms, 3).unwrap();
        assert_eq!((hashes.md5, hashes.sha1, hashes.sha256.is_some()), (None, None, true));
    }

    #[test]
    fn reading_stops_at_most_one_chunk_after_the_limit() {
        let (_, len) = hash(&mut std::io::repeat(0), Algorithms::ALL, 10).unwrap();
        assert!(len > 10);
    }
}
