//! Any bytes as the mappings of a process.

#![no_main]

use collector::procfs::mapping::{mappings, unchanged_parts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(mappings) = mappings(bytes) else { return };
    for (map, name) in &mappings {
        assert!(name.is_empty() || stands_in(bytes, name), "a name is a part of the bytes");
        assert!(!name.contains(&b'\n'), "a name is on one line");
        let device = (map.dev.0.cast_unsigned() << 20) | map.dev.1.cast_unsigned();
        let parts = unchanged_parts(bytes, device, map.inode).expect("what is read once is read again");
        assert!(parts.len() <= mappings.len(), "a part is a mapping");
    }
});

fn stands_in(bytes: &[u8], name: &[u8]) -> bool {
    bytes.windows(name.len()).any(|window| window == name)
}
