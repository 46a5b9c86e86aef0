//! Any bytes as a record of the ring: it is decoded, or refused with a reason, and borrows nothing from
//! outside.

#![no_main]

use collector::decode::{Record, decode};
use collector_common::{ExecRecord, Kind};
use collector_fuzz::recording::Aligned;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (aligned, len) = Aligned::copy(bytes);
    let bytes = aligned.first(len);
    match decode(bytes) {
        Ok(record) => {
            assert_eq!(Kind::of_record(bytes), Some(record.kind()), "the header names the kind");
            let _ = record.time_ns();
            if let Record::Exec(exec) = record {
                let pieces = [exec.path, exec.cwd, exec.script, exec.args, exec.env];
                let lent: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
                assert_eq!(lent + size_of::<ExecRecord>(), len, "the pieces fill the record");
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "a refusal has a reason");
            let _: Option<Kind> = Kind::of_record(bytes);
        }
    }
});
