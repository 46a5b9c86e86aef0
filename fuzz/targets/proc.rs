//! Any bytes as each file of a process in /proc.

#![no_main]

use collector::procfs::{
    Stat, link,
    link::{namespace_inode, without_deleted},
    split_nul,
};
use libfuzzer_sys::fuzz_target;
use procfs::{
    FromRead as _,
    process::{MountInfos, Status},
};

fuzz_target!(|bytes: &[u8]| {
    if let Some(stat) = Stat::parse(bytes) {
        assert!(stat.comm.len() < bytes.len(), "a name is a part of the line");
        let _ = stat.is_dead();
        let _ = stat.starttime.to_boottime_ns();
    }
    let _ = Status::from_read(bytes);
    let _ = MountInfos::from_read(bytes);
    let strings: usize = split_nul(bytes).map(|string| string.len() + 1).sum();
    assert!((bytes.len()..=bytes.len() + 1).contains(&strings) || bytes.is_empty(), "no byte is lost");
    for has_a_name in [false, true] {
        let link::Target { path, .. } = without_deleted(bytes, has_a_name);
        assert!(bytes.starts_with(path), "a path is the beginning of the link");
    }
    let _ = namespace_inode(bytes);
});
