//! A recording in memory: read from a file, made by hand, written to a file.
//!
//! The format is that of `collector::source::recording`: a line of JSON, then entries of a length (4 bytes,
//! little-endian) and as many bytes; two lengths that no record has announce the kernel side's counters.

use std::{fs, path::Path};

use collector::{
    event::{Host, HostBoot},
    machine::Machine,
    source::recording::Head,
};
use collector_common::{Counters, Kind, RecordHeader, WIRE_VERSION};
use zerocopy::{FromBytes, IntoBytes};

/// The first field of every recording.
pub(crate) const FORMAT: &str = "collector-recording/1";
/// The length that announces the counters, with their own length before them.
const COUNTERS: u32 = u32::MAX - 1;
/// The length in recordings of the first agents, whose counters had a fixed size.
const FIRST_COUNTERS: u32 = u32::MAX;
const FIRST_COUNTERS_LEN: usize = 200;

/// Ids of no machine in particular.
const HOST_ID: &str = "00000000000000000000000000000001";
const BOOT_ID: &str = "11111111-2222-4333-8444-555555555555";

/// A recording.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Where it was recorded.
    pub(crate) machine: Machine,
    /// The records' bytes, in their order.
    pub(crate) records: Vec<Vec<u8>>,
    /// What the kernel side counted.
    pub(crate) counters: Counters,
}

impl Recording {
    /// An empty one, of no machine in particular.
    pub(crate) fn new() -> Self {
        let machine = Machine {
            host: Host::default(),
            boot: BOOT_ID.parse().unwrap(),
            kernel: "6.18.0-made".to_owned(),
            started_ns: 1_000_000_000_000,
            wall_offset_ns: 1_795_000_000_000_000_000,
            mnt_namespace: 4_026_531_832,
            user_namespace: 4_026_531_837,
            pid_namespace: 4_026_531_836,
            page_size: 4096,
            mixed_cgroups: false,
        };
        let mut recording = Self { machine, records: Vec::new(), counters: Counters::default() };
        recording.forget_the_machine();
        recording
    }

    /// Replaces what names the machine of the recording by constants.
    pub(crate) fn forget_the_machine(&mut self) {
        self.machine.boot = BOOT_ID.parse().unwrap();
        self.machine.host = Host {
            id: Some(HOST_ID.to_owned()),
            name: Some("fixture".to_owned()),
            boot: Some(HostBoot { id: BOOT_ID.to_owned() }),
        };
    }

    /// Adds a record that the kernel side has seen.
    pub(crate) fn add(&mut self, record: &[u8]) {
        if let Some(kind) = kind_of(record) {
            self.counters.seen[kind.index()] += 1;
        }
        self.records.push(record.to_vec());
    }

    /// Adds a record, as [`Self::add`] does, and answers with the recording.
    pub(crate) fn with(mut self, record: &[u8]) -> Self {
        self.add(record);
        self
    }

    /// Reads a file that ends in its counters.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let head = bytes.iter().position(|&byte| byte == b'\n').unwrap();
        let Head { machine, .. } = serde_json::from_slice(&bytes[..head]).unwrap();
        let mut recording = Self { machine, records: Vec::new(), counters: Counters::default() };
        let mut rest = &bytes[head + 1..];
        while let Some((len, behind)) = rest.split_first_chunk::<4>() {
            let len = match u32::from_le_bytes(*len) {
                FIRST_COUNTERS => {
                    rest = recording.read_counters(behind, FIRST_COUNTERS_LEN);
                    continue;
                }
                COUNTERS => {
                    let (len, behind) = behind.split_first_chunk().unwrap();
                    rest =
                        recording.read_counters(behind, usize::try_from(u32::from_le_bytes(*len)).unwrap());
                    continue;
                }
                len => usize::try_from(len).unwrap(),
            };
            recording.records.push(behind[..len].to_vec());
            rest = &behind[len..];
        }
        recording
    }

    /// Answers with what is behind them.
    fn read_counters<'b>(&mut self, bytes: &'b [u8], len: usize) -> &'b [u8] {
        let (counters, behind) = bytes.split_at(len);
        self.counters.as_mut_bytes()[..len].copy_from_slice(counters);
        behind
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let head = Head { format: FORMAT.to_owned(), wire: WIRE_VERSION, machine: self.machine.clone() };
        let mut bytes = serde_json::to_vec(&head).unwrap();
        bytes.push(b'\n');
        for record in &self.records {
            bytes.extend(u32::try_from(record.len()).unwrap().to_le_bytes());
            bytes.extend(record);
        }
        bytes.extend(COUNTERS.to_le_bytes());
        bytes.extend(u32::try_from(size_of::<Counters>()).unwrap().to_le_bytes());
        bytes.extend(self.counters.as_bytes());
        bytes
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) {
        fs::write(path, self.bytes()).unwrap();
    }
}

/// The kind in the header of a record.
pub(crate) fn kind_of(record: &[u8]) -> Option<Kind> {
    let (header, _) = RecordHeader::read_from_prefix(record).ok()?;
    Kind::from_wire(header.kind)
}
