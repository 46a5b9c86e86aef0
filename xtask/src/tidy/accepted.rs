//! The crates whose files tidy checks, the order of their rooms, and the arrows that break the order or close a circle
//! today. Both lists of exceptions only shrink: an exception that is no longer needed is a fault too.

use std::path::Path;

/// A crate whose files must form no circle.
pub(super) struct Checked {
    /// The folder of its sources, from the workspace's root.
    pub(super) src: &'static str,
    /// The root files in it; a binary is a crate of its own.
    pub(super) roots: &'static [&'static str],
    /// The rooms in their order, split by white space; empty where the crate is one room.
    pub(super) rooms: &'static str,
    pub(super) circles: &'static [Accepted],
    pub(super) disorder: &'static [Accepted],
}

/// An arrow between two files below `src`, and why it is accepted.
pub(super) type Accepted = (&'static str, &'static str, &'static str);

/// The two files, from the workspace's root.
pub(super) fn arrow(src: &Path, (from, to, _): &Accepted) -> (std::path::PathBuf, std::path::PathBuf) {
    (src.join(from), src.join(to))
}

pub(super) const CRATES: &[Checked] = &[
    Checked { src: "collector-common/src", roots: &["lib.rs"], rooms: "", circles: &[], disorder: &[] },
    Checked { src: "collector-event/src", roots: &["lib.rs"], rooms: "", circles: &[], disorder: &[] },
    Checked {
        src: "collector-stream/src",
        roots: &["lib.rs"],
        rooms: "",
        circles: &[("format/json/writer.rs", "format/json/members.rs", "one writer in two files")],
        disorder: &[],
    },
    Checked {
        src: "collector-ebpf/src",
        roots: &["main.rs"],
        rooms: "maps kernel emit filter probes",
        circles: &[],
        disorder: &[],
    },
    Checked {
        src: "collector/src",
        roots: &["lib.rs", "main.rs"],
        rooms: "
            defaults word text errno signal checksum interned linux wake_event
            procfs process fact clock machine redact filter load decode source
            digest track describe enrich
            config options pipeline reload start_error collector prepared builder
            inspect doctor cli",
        circles: &[],
        disorder: &[],
    },
];
