//! Makes well-formed records from any bytes. They are about a few processes that are each other's parents.

use collector_common::{ExecRecord, Kind, Piece, RecordHeader, TaskState, WIRE_VERSION};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Process ids go from 0 up to this.
const TGIDS: u32 = 5;
/// Lives of each process id.
const LIVES: u64 = 3;
/// A life starts at its number times this, in nanoseconds since boot.
const LIFE_NS: u64 = 1_000_000_000;
/// The bytes of a record, aligned to 8 bytes, as in the ring.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Aligned([u8; Self::LEN]);

impl Aligned {
    const LEN: usize = 16 << 10;

    /// Copies as many of these bytes as fit, and returns their number.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> (Box<Self>, usize) {
        let mut aligned = Box::new(Self::new_zeroed());
        let len = bytes.len().min(Self::LEN);
        aligned.0.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        (aligned, len)
    }

    /// The first `len` bytes.
    #[must_use]
    pub fn first(&self, len: usize) -> &[u8] {
        self.0.get(..len).unwrap_or_default()
    }
}

/// Splits the bytes like a recording, each record after its length, and repairs what the decoder would
/// refuse. So the body of a recording is a seed.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = (Box<Aligned>, usize)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, behind) = rest.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX).min(behind.len());
        let (record, behind) = behind.split_at(len);
        rest = behind;
        Some(repaired(record))
    })
}

/// Makes a record with a valid header and valid lengths, about one of few processes.
fn repaired(bytes: &[u8]) -> (Box<Aligned>, usize) {
    let (mut aligned, len) = Aligned::copy(bytes);
    let record = &mut aligned.0;
    let kind = header(record).kind;
    let kind = Kind::ALL[usize::from(kind.saturating_sub(1)) % Kind::COUNT];
    let len = match kind {
        Kind::Fork | Kind::Task => size_of::<collector_common::TaskRecord>(),
        Kind::Exit => size_of::<collector_common::ExitRecord>(),
        Kind::Connect => size_of::<collector_common::ConnectRecord>(),
        Kind::ConnectResult => size_of::<collector_common::ConnectResultRecord>(),
        Kind::Exec => exec(record, len),
    };
    let head = header(record);
    (head.version, head.kind) = (WIRE_VERSION, kind.to_wire());
    head.len = u32::try_from(len).unwrap_or(0);
    let (state, _) =
        TaskState::mut_from_prefix(&mut record[size_of::<RecordHeader>()..]).expect("it is large enough");
    (state.tgid, state.start_ns) = life(state.tgid, state.start_ns);
    (state.parent_tgid, state.parent_start_ns) = life(state.parent_tgid, state.parent_start_ns);
    if kind == Kind::Exit {
        let (exit, _) = collector_common::ExitRecord::mut_from_prefix(record).expect("it is large enough");
        (exit.reaper_tgid, exit.reaper_start_ns) = life(exit.reaper_tgid, exit.reaper_start_ns);
    }
    (aligned, len)
}

fn life(tgid: u32, start_ns: u64) -> (u32, u64) {
    let tgid = tgid % (TGIDS + 1);
    (tgid, if tgid == 0 { 0 } else { start_ns % LIVES * LIFE_NS })
}

fn header(record: &mut [u8]) -> &mut RecordHeader {
    RecordHeader::mut_from_prefix(record).expect("it is large enough").0
}

/// Divides the bytes after the fixed part among the pieces. Returns the length of the record.
fn exec(record: &mut [u8], len: usize) -> usize {
    let (exec, behind) = ExecRecord::mut_from_prefix(record).expect("it is large enough");
    let mut left = len.saturating_sub(size_of::<ExecRecord>()).min(behind.len());
    let all = left;
    for piece in [&mut exec.path, &mut exec.cwd, &mut exec.script, &mut exec.args] {
        left -= cut(piece, left);
    }
    let rest = u32::try_from(left).unwrap_or(0);
    exec.env = Piece { len: rest, full: exec.env.full.max(rest) };
    size_of::<ExecRecord>() + all
}

/// Cuts a piece to the bytes that are left. Returns its length.
fn cut(piece: &mut Piece, left: usize) -> usize {
    let len = usize::try_from(piece.len).unwrap_or(usize::MAX).min(left);
    piece.len = u32::try_from(len).unwrap_or(0);
    piece.full = piece.full.max(piece.len);
    len
}
