//! The format of a recording, for everything that writes or reads one.
//!
//! A file begins with a line of JSON, the [`Head`]. Entries follow. A record is its length (4 bytes, little-endian) and its
//! bytes. Lengths that no record has announce other entries: the kernel side's counters, which end every whole recording,
//! and the number of records that are missing at that place.

use std::io::{self, Read};

use collector_common::{Counters, Kind, WIRE_VERSION};
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    machine::Machine,
    source::{outcome::DamageCause, owned_record::OwnedRecord},
};

/// First field of every recording.
pub const FORMAT: &str = "collector-recording/1";
/// Announces the counters of the first agents, which have [`FIRST_COUNTERS_LEN`] bytes.
const FIRST_COUNTERS: u32 = u32::MAX;
const FIRST_COUNTERS_LEN: u32 = 200;
/// Announces counters, with their own length before them.
const COUNTERS: u32 = u32::MAX - 1;
/// Announces [`MissingRecords`], with their own length before them.
const MISSING: u32 = u32::MAX - 2;
/// The longest record; a longer one is damage.
const RECORD_MAX: u32 = 16 << 20;

/// The head of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`].
    pub format: String,
    /// Version of the records.
    pub wire: u16,
    /// Where it was recorded.
    pub machine: Machine,
}

impl Head {
    /// The head of a new recording.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        Self { format: FORMAT.to_owned(), wire: WIRE_VERSION, machine }
    }

    /// The first line of the file.
    pub fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// Records that are missing at one place of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MissingRecords {
    /// Records of no known kind.
    pub unknown: u64,
    /// Records by [`Kind::index`].
    pub by_kind: [u64; Kind::COUNT],
}

impl MissingRecords {
    /// Counts a record.
    pub fn count(&mut self, record: &[u8]) {
        let known = Kind::of_record(record).and_then(|kind| self.by_kind.get_mut(kind.index()));
        *known.unwrap_or(&mut self.unknown) += 1;
    }

    /// Adds those of another place.
    pub fn add(&mut self, other: &Self) {
        self.unknown += other.unknown;
        self.by_kind.iter_mut().zip(other.by_kind).for_each(|(sum, more)| *sum += more);
    }

    /// How many there are.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.by_kind.iter().sum::<u64>() + self.unknown
    }
}

/// Appends a record.
pub fn append_record(bytes: &mut Vec<u8>, record: &[u8]) {
    bytes.extend_from_slice(&u32::try_from(record.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(record);
}

/// Appends counters.
pub fn append_counters(bytes: &mut Vec<u8>, counters: &Counters) {
    append_announced(bytes, COUNTERS, counters.as_bytes());
}

/// Appends the number of records that are missing here.
pub fn append_missing(bytes: &mut Vec<u8>, missing: &MissingRecords) {
    append_announced(bytes, MISSING, missing.as_bytes());
}

fn append_announced(bytes: &mut Vec<u8>, kind: u32, content: &[u8]) {
    bytes.extend_from_slice(&kind.to_le_bytes());
    append_record(bytes, content);
}

/// An entry of a recording.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A record, as the kernel side sent it.
    Record(OwnedRecord),
    /// What the kernel side had counted by then.
    Counters(Counters),
    /// Records that were not recorded here.
    Missing(MissingRecords),
}

/// Reads the entries of a recording.
#[derive(Debug)]
pub struct Entries<R> {
    input: R,
    /// Bytes of the file before the next read.
    offset: u64,
}

impl<R: Read> Entries<R> {
    /// Reads the entries in `input`, which begin `offset` bytes behind the start of the file.
    pub fn new(input: R, offset: u64) -> Self {
        Self { input, offset }
    }

    /// Where the next entry begins, in bytes from the start of the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next entry; `None` at the end of the file. After an error the place of the next entry is not known.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, DamageCause> {
        let mut len = [0; 4];
        // Only the end of the file behind a whole entry is an end.
        let first = loop {
            match self.input.read(&mut len) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| failed(&error))?,
            }
        };
        if first == 0 {
            return Ok(None);
        }
        self.offset += u64::try_from(first).unwrap_or(0);
        self.fill(len.get_mut(first..).unwrap_or_default())?;
        let entry = match u32::from_le_bytes(len) {
            FIRST_COUNTERS => Entry::Counters(self.prefix_of(FIRST_COUNTERS_LEN)?),
            COUNTERS => Entry::Counters(self.announced()?),
            MISSING => Entry::Missing(self.announced()?),
            len if len > RECORD_MAX => return Err(DamageCause::Length { len }),
            len => {
                let mut record = OwnedRecord::zeroed(usize::try_from(len).unwrap_or(0));
                self.fill(record.bytes_mut())?;
                Entry::Record(record)
            }
        };
        Ok(Some(entry))
    }

    /// A value with its length before it.
    fn announced<T: FromBytes + IntoBytes>(&mut self) -> Result<T, DamageCause> {
        let mut len = [0; 4];
        self.fill(&mut len)?;
        self.prefix_of(u32::from_le_bytes(len))
    }

    /// The first `len` bytes of a value. The counts that an older agent did not have are 0.
    fn prefix_of<T: FromBytes + IntoBytes>(&mut self, len: u32) -> Result<T, DamageCause> {
        let mut value = T::new_zeroed();
        let bytes = value.as_mut_bytes().get_mut(..usize::try_from(len).unwrap_or(usize::MAX));
        self.fill(bytes.ok_or(DamageCause::Counters { len })?)?;
        Ok(value)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), DamageCause> {
        self.input.read_exact(bytes).map_err(|error| failed(&error))?;
        self.offset += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(())
    }
}

fn failed(error: &io::Error) -> DamageCause {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DamageCause::CutShort,
        _ => DamageCause::Io { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use collector_common::{Counters, Kind};
    use proptest::prelude::*;

    use super::{
        COUNTERS, Entries, Entry, FIRST_COUNTERS, FIRST_COUNTERS_LEN, MISSING, MissingRecords,
        append_announced, append_counters, append_missing, append_record,
    };
    use crate::source::outcome::DamageCause;

    /// The entries of a file with these bytes, and what ends it.
    fn entries(bytes: &[u8]) -> (Vec<Entry>, Result<(), DamageCause>) {
        let (mut entries, mut found) = (Entries::new(bytes, 0), Vec::new());
        loop {
            match entries.next_entry() {
                Ok(Some(entry)) => found.push(entry),
                Ok(None) => return (found, Ok(())),
                Err(cause) => return (found, Err(cause)),
            }
        }
    }

    #[test]
    fn each_entry_comes_back_as_it_was_appended() {
        let mut counters = Counters::default();
        counters.seen[Kind::Exit.index()] = 7;
        let missing = MissingRecords { unknown: 1, by_kind: [2; Kind::COUNT] };
        let mut bytes = Vec::new();
        append_record(&mut bytes, b"a record");
        append_record(&mut bytes, b"");
        append_missing(&mut bytes, &missing);
        append_counters(&mut bytes, &counters);
        let (found, end) = entries(&bytes);
        let [Entry::Record(first), Entry::Record(second), Entry::Missing(lacks), Entry::Counters(sums)] =
            found.as_slice()
        else {
            panic!("{found:?}")
        };
        assert_eq!((first.bytes(), second.bytes()), (b"a record".as_slice(), b"".as_slice()));
        assert_eq!((lacks, sums.seen), (&missing, counters.seen));
        assert_eq!(end, Ok(()));
    }

    #[test]
    fn counters_of_an_older_agent_have_zeros_behind_them() {
        let mut bytes = FIRST_COUNTERS.to_le_bytes().to_vec();
        bytes.extend(vec![1; usize::try_from(FIRST_COUNTERS_LEN).unwrap()]);
        append_announced(&mut bytes, COUNTERS, &[1; 8]);
        let (found, end) = entries(&bytes);
        let [Entry::Counters(_), Entry::Counters(short)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((short.seen[0], short.seen[1]), (0x0101_0101_0101_0101, 0));
        assert_eq!(end, Ok(()));
    }

    #[test]
    fn each_kind_of_damage_has_its_cause() {
        let mut long = Vec::new();
        append_announced(&mut long, MISSING, &[0; 4096]);
        for (bytes, cause) in [
            (&b"\x01"[..], DamageCause::CutShort),
            (b"\x02\0\0\0a", DamageCause::CutShort),
            (b"\xfe\xff\xff\xff\x08\0", DamageCause::CutShort),
            (b"\0\0\0\x02", DamageCause::Length { len: 2 << 24 }),
            (&long, DamageCause::Counters { len: 4096 }),
        ] {
            assert_eq!(entries(bytes).1, Err(cause));
        }
    }

    #[test]
    fn the_offset_is_where_the_next_entry_begins() {
        let mut bytes = Vec::new();
        append_record(&mut bytes, b"abc");
        append_record(&mut bytes, b"d");
        let mut entries = Entries::new(bytes.as_slice(), 100);
        assert_eq!(entries.offset(), 100);
        entries.next_entry().unwrap();
        assert_eq!(entries.offset(), 107);
        entries.next_entry().unwrap();
        assert_eq!(entries.offset(), 112);
    }

    proptest! {
        #[test]
        fn any_bytes_end_and_no_byte_is_read_twice(bytes: Vec<u8>) {
            let (found, _) = entries(&bytes);
            let records = found.iter().filter_map(|entry| match entry {
                Entry::Record(record) => Some(record.bytes().len() + 4),
                Entry::Counters(_) | Entry::Missing(_) => None,
            });
            prop_assert!(records.sum::<usize>() <= bytes.len());
        }
    }
}
