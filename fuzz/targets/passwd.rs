//! Any bytes as /etc/passwd or /etc/group of a container, and as the id map of its user namespace.

#![no_main]

use collector::procfs::{id_map::inside, passwd::names};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for (id, name) in names(bytes) {
        assert!(!name.is_empty() && !name.iter().any(|byte| b":\n".contains(byte)), "a name is one field");
        let _ = inside(bytes, id);
    }
    for id in [0, 1, 1000, 65_534, u32::MAX] {
        let _ = inside(bytes, id);
    }
});
