//! The crates whose files tidy checks, the order of their rooms, and the arrows that break the order or close a circle
//! today. Both lists of exceptions only shrink: an exception that is no longer needed is a fault too.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// A crate whose files must form no circle.
pub(super) struct Checked {
    /// The folder of its sources, from the workspace's root.
    pub(super) src: &'static str,
    /// The root files in it; a binary is a crate of its own.
    pub(super) roots: &'static [&'static str],
    /// The rooms in their order; empty where there is none to keep.
    pub(super) rooms: &'static [&'static str],
    pub(super) circles: &'static [Accepted],
    pub(super) disorder: &'static [Accepted],
}

/// An arrow between two files that is accepted, and why.
pub(super) struct Accepted {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    #[expect(dead_code, reason = "for whoever reads the list")]
    pub(super) reason: &'static str,
}

impl Accepted {
    pub(super) fn arrow(&self) -> (&'static Path, &'static Path) {
        (Path::new(self.from), Path::new(self.to))
    }

    pub(super) fn is(&self, arrow: (&Path, &Path)) -> bool {
        self.arrow() == arrow
    }
}

impl Display for Accepted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

/// The rooms, circles and disorder of `collector`.
const COLLECTOR: Checked = Checked {
    src: "collector/src",
    roots: &["lib.rs", "main.rs"],
    rooms: &[
        "word",
        "text",
        "errno",
        "signal",
        "file_calls",
        "linux",
        "wake_event",
        "known",
        "procfs",
        "process",
        "event",
        "clock",
        "machine",
        "filter",
        "load",
        "decode",
        "source",
        "enrich",
        "encode",
        "sinks",
        "config",
        "reload",
        "pipeline",
        "inspect",
        "doctor",
        "collector",
        "cli",
        "progress",
        "signals",
        "output",
        "main",
    ],
    circles: &[
        Accepted {
            from: "collector/src/encode/json/writer.rs",
            to: "collector/src/encode/json/members.rs",
            reason: "one writer in two files",
        },
        Accepted {
            from: "collector/src/enrich/digest/mod.rs",
            to: "collector/src/enrich/digest/asked.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/digest/mod.rs",
            to: "collector/src/enrich/digest/pool.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/digest/mod.rs",
            to: "collector/src/enrich/digest/sources.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/digest/mod.rs",
            to: "collector/src/reload.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/digest/pool.rs",
            to: "collector/src/enrich/digest/sources.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/digest/roots.rs",
            to: "collector/src/enrich/digest/pool.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/digest/sighting.rs",
            to: "collector/src/enrich/digest/mod.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/image.rs",
            to: "collector/src/enrich/parts.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/membership.rs",
            to: "collector/src/enrich/mod.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/parts.rs",
            to: "collector/src/enrich/process.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/process.rs",
            to: "collector/src/enrich/ancestry.rs",
            reason: "issue 13, part 3: data, facts and digests are being parted",
        },
        Accepted {
            from: "collector/src/enrich/redact/url.rs",
            to: "collector/src/enrich/redact.rs",
            reason: "the word that replaces a secret stands in redact.rs",
        },
        Accepted {
            from: "collector/src/filter/rule.rs",
            to: "collector/src/filter/mod.rs",
            reason: "the fact that a rule is about stands in mod.rs",
        },
        Accepted {
            from: "collector/src/inspect/descriptors.rs",
            to: "collector/src/inspect/mod.rs",
            reason: "what the parts of an inspection share stands in its mod.rs",
        },
        Accepted {
            from: "collector/src/inspect/numbers.rs",
            to: "collector/src/inspect/mod.rs",
            reason: "what the parts of an inspection share stands in its mod.rs",
        },
        Accepted {
            from: "collector/src/inspect/sock_diag.rs",
            to: "collector/src/inspect/mod.rs",
            reason: "what the parts of an inspection share stands in its mod.rs",
        },
        Accepted {
            from: "collector/src/inspect/sockets.rs",
            to: "collector/src/inspect/mod.rs",
            reason: "what the parts of an inspection share stands in its mod.rs",
        },
        Accepted {
            from: "collector/src/inspect/status.rs",
            to: "collector/src/inspect/mod.rs",
            reason: "what the parts of an inspection share stands in its mod.rs",
        },
        Accepted {
            from: "collector/src/pipeline/intake.rs",
            to: "collector/src/pipeline/mod.rs",
            reason: "issue 13, part 3: the pipeline reaches into its intake",
        },
    ],
    disorder: &[Accepted {
        from: "collector/src/enrich/digest/mod.rs",
        to: "collector/src/reload.rs",
        reason: "issue 13, part 3: digests read the limits that a reload left for them",
    }],
};

pub(super) const CRATES: &[Checked] = &[
    Checked { src: "collector-common/src", roots: &["lib.rs"], rooms: &[], circles: &[], disorder: &[] },
    Checked {
        src: "collector-ebpf/src",
        roots: &["main.rs"],
        rooms: &["maps", "kernel", "emit", "filter", "probes"],
        circles: &[],
        disorder: &[],
    },
    COLLECTOR,
];
