//! Bytes from the ring → a checked record, or an error that is counted.
//!
//! A record borrows its bytes and copies nothing. No byte is trusted: a length that leads outside the record is an error, never
//! a panic.

use collector_common::{
    ConnectRecord, ConnectResultRecord, ExecRecord, ExitRecord, Fate, Kind, Piece, RecordHeader, TaskRecord,
    WIRE_VERSION,
};
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Why the bytes were rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the record's header or fixed part.
    #[error("a record of {have} bytes is too short: its fixed part has {need}")]
    Short {
        /// Bytes that came.
        have: usize,
        /// Bytes of the header or the fixed part.
        need: usize,
    },
    /// The length in the header is wrong.
    #[error("a record's header says {says} bytes, but {have} came")]
    Length {
        /// Bytes by the header.
        says: usize,
        /// Bytes that came.
        have: usize,
    },
    /// It has another version of the wire format.
    #[error("a record has wire version {0}; this agent reads {WIRE_VERSION}")]
    Version(u16),
    /// Its kind is unknown.
    #[error("a record has the unknown kind {0}")]
    Kind(u16),
    /// The pieces do not fill the record.
    #[error("the pieces of an exec have {pieces} bytes, but {have} came")]
    Pieces {
        /// Sum of the pieces' lengths.
        pieces: usize,
        /// Bytes behind the fixed part.
        have: usize,
    },
}

/// Bytes that the record may have cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes<'a> {
    /// The bytes in the record.
    pub bytes: &'a [u8],
    /// The full size; `None` if unknown.
    pub full: Option<u64>,
}

impl Bytes<'_> {
    /// Whether the record has all bytes.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.full == u64::try_from(self.bytes.len()).ok()
    }
}

/// An exec with its pieces.
#[derive(Clone, Copy, Debug)]
pub struct Exec<'a> {
    /// The fixed part.
    pub fixed: &'a ExecRecord,
    /// Path of the image.
    pub path: Bytes<'a>,
    /// Working directory.
    pub cwd: Bytes<'a>,
    /// The path given to execve(2), for a script; else empty.
    pub script: Bytes<'a>,
    /// argv.
    pub args: Bytes<'a>,
    /// The environment.
    pub env: Bytes<'a>,
}

/// A checked record.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each is the kind of its name")]
pub enum Record<'a> {
    Fork(&'a TaskRecord),
    Exec(Exec<'a>),
    Exit(&'a ExitRecord),
    Connect(&'a ConnectRecord),
    ConnectResult(&'a ConnectResultRecord),
    Task(&'a TaskRecord),
}

impl Record<'_> {
    /// When it happened, in nanoseconds since boot.
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        self.header().time_ns
    }

    /// Whether it becomes an event, or is for the process table alone.
    #[must_use]
    pub fn fate(&self) -> Fate {
        Fate::from_wire(self.header().fate)
    }

    fn header(&self) -> &RecordHeader {
        match self {
            Self::Fork(record) | Self::Task(record) => &record.header,
            Self::Exec(record) => &record.fixed.header,
            Self::Exit(record) => &record.header,
            Self::Connect(record) => &record.header,
            Self::ConnectResult(record) => &record.header,
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Fork(_) => Kind::Fork,
            Self::Exec(_) => Kind::Exec,
            Self::Exit(_) => Kind::Exit,
            Self::Connect(_) => Kind::Connect,
            Self::ConnectResult(_) => Kind::ConnectResult,
            Self::Task(_) => Kind::Task,
        }
    }
}

/// Checks the bytes of one record.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let (header, _) = prefix::<RecordHeader>(bytes)?;
    if header.version != WIRE_VERSION {
        return Err(DecodeError::Version(header.version));
    }
    let says = usize::try_from(header.len).unwrap_or(usize::MAX);
    if says != bytes.len() {
        return Err(DecodeError::Length { says, have: bytes.len() });
    }
    match Kind::from_wire(header.kind).ok_or(DecodeError::Kind(header.kind))? {
        Kind::Fork => exact(bytes).map(Record::Fork),
        Kind::Exec => exec(bytes).map(Record::Exec),
        Kind::Exit => exact(bytes).map(Record::Exit),
        Kind::Connect => exact(bytes).map(Record::Connect),
        Kind::ConnectResult => exact(bytes).map(Record::ConnectResult),
        Kind::Task => exact(bytes).map(Record::Task),
    }
}

fn prefix<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<(&T, &[u8]), DecodeError> {
    T::ref_from_prefix(bytes).map_err(|_| DecodeError::Short { have: bytes.len(), need: size_of::<T>() })
}

fn exact<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<&T, DecodeError> {
    match prefix(bytes)? {
        (record, []) => Ok(record),
        (_, _) => Err(DecodeError::Length { says: size_of::<T>(), have: bytes.len() }),
    }
}

fn exec(bytes: &[u8]) -> Result<Exec<'_>, DecodeError> {
    let (fixed, pieces) = prefix::<ExecRecord>(bytes)?;
    let mut rest = pieces;
    let mut next = |piece: Piece| {
        let len = usize::try_from(piece.len).unwrap_or(usize::MAX);
        let (bytes, behind) = rest.split_at_checked(len)?;
        rest = behind;
        Some(Bytes { bytes, full: (piece.full != Piece::UNKNOWN).then_some(piece.full.into()) })
    };
    // In the order in which the kernel side appends them.
    let exec = (|| {
        Some(Exec {
            fixed,
            path: next(fixed.path)?,
            cwd: next(fixed.cwd)?,
            script: next(fixed.script)?,
            args: next(fixed.args)?,
            env: next(fixed.env)?,
        })
    })();
    exec.filter(|_| rest.is_empty()).ok_or_else(|| DecodeError::Pieces {
        pieces: [fixed.path, fixed.cwd, fixed.script, fixed.args, fixed.env]
            .iter()
            .map(|piece| usize::try_from(piece.len).unwrap_or(usize::MAX))
            .fold(0, usize::saturating_add),
        have: pieces.len(),
    })
}

#[cfg(test)]
mod tests {
    use collector_common::{ExecRecord, ExitRecord, Kind, Piece, RecordHeader, WIRE_VERSION};
    use proptest::prelude::*;
    use zerocopy::{FromZeros, IntoBytes};

    use super::{DecodeError, Record, decode};

    /// Bytes at an address that is a multiple of 8, as in the ring.
    #[repr(align(8))]
    struct Aligned([u8; 1024]);

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Kind, DecodeError>) {
        let mut aligned = Aligned([0; 1024]);
        aligned.0[..bytes.len()].copy_from_slice(bytes);
        assert_eq!(decode(&aligned.0[..bytes.len()]).map(|record| record.kind()), expected);
    }

    fn head(kind: u16, len: usize) -> RecordHeader {
        RecordHeader {
            version: WIRE_VERSION,
            kind,
            len: len.try_into().unwrap(),
            time_ns: 1,
            cpu: 0,
            fate: 0,
            cgroups: 0,
        }
    }

    fn exit() -> ExitRecord {
        let mut exit = ExitRecord::new_zeroed();
        exit.header = head(3, size_of::<ExitRecord>());
        exit
    }

    fn exec_with(pieces: &[u8], args: u32) -> Vec<u8> {
        let mut exec = ExecRecord::new_zeroed();
        exec.header = head(2, size_of::<ExecRecord>() + pieces.len());
        exec.args = Piece { len: args, full: args };
        [exec.as_bytes(), pieces].concat()
    }

    #[test]
    fn a_whole_record_is_accepted() {
        check(exit().as_bytes(), Ok(Kind::Exit));
        check(&exec_with(b"ls\0", 3), Ok(Kind::Exec));
    }

    #[test]
    fn a_record_shorter_than_its_header_is_rejected() {
        check(&[1, 0, 3], Err(DecodeError::Short { have: 3, need: 24 }));
    }

    #[test]
    fn a_cut_record_is_rejected() {
        let exit = exit();
        check(&exit.as_bytes()[..100], Err(DecodeError::Length { says: 192, have: 100 }));
    }

    #[test]
    fn a_record_longer_than_its_kind_is_rejected() {
        let mut exit = exit();
        exit.header.len = 200;
        check(&[exit.as_bytes(), &[0; 8]].concat(), Err(DecodeError::Length { says: 192, have: 200 }));
    }

    #[test]
    fn a_record_of_another_version_is_rejected() {
        let mut exit = exit();
        exit.header.version = 9;
        check(exit.as_bytes(), Err(DecodeError::Version(9)));
    }

    #[test]
    fn a_record_of_an_unknown_kind_is_rejected() {
        let mut exit = exit();
        exit.header.kind = 99;
        check(exit.as_bytes(), Err(DecodeError::Kind(99)));
    }

    #[test]
    fn pieces_that_lead_outside_the_record_are_rejected() {
        check(&exec_with(b"ls\0", 4), Err(DecodeError::Pieces { pieces: 4, have: 3 }));
    }

    #[test]
    fn pieces_that_do_not_fill_the_record_are_rejected() {
        check(&exec_with(b"ls\0", 2), Err(DecodeError::Pieces { pieces: 2, have: 3 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1024), kind in 0u16..9) {
            let mut aligned = Aligned([0; 1024]);
            aligned.0[..bytes.len()].copy_from_slice(&bytes);
            let header = head(kind, bytes.len());
            let len = bytes.len().min(size_of::<RecordHeader>());
            aligned.0[..len].copy_from_slice(&header.as_bytes()[..len]);
            if let Ok(Record::Exec(exec)) = decode(&aligned.0[..bytes.len()]) {
                prop_assert!(exec.args.bytes.len() <= bytes.len());
            }
        }
    }
}
