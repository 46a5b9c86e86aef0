//! Any bytes as the kernel's types: the look-up of every field ends soon.

#![no_main]

use collector::load::btf::Types;
use collector_common::{FieldKind, Offsets};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(types) = Types::parse(bytes) else { return };
    for field in Offsets::FIELDS {
        for path in field.path.split('|') {
            let mut names = path.split('.');
            let structure = names.next().unwrap_or_default();
            let members: Vec<&str> = names.collect();
            let _ = match field.kind {
                FieldKind::Size => types.size(structure),
                FieldKind::Arguments => types.tracepoint_arguments(structure),
                FieldKind::BitOffset | FieldKind::Offset => types.bit_offset(structure, &members),
            };
        }
    }
});
