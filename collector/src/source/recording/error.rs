//! Why a recording cannot be used.

use std::{io, path::PathBuf};

use collector_common::WIRE_VERSION;

use super::format::FORMAT;

/// Why a recording cannot be written, or a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read or written.
    #[error("cannot use recording {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The thread that writes the recording cannot be started.
    #[error("cannot start the thread that writes recording {}", .path.display())]
    Thread {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is a stream of events.
    #[error(
        "{} is a stream of events (JSON Lines), and replay takes raw records: what collector run --record FILE writes; \
         read the stream with jq, or with anything else that reads JSON Lines", .path.display()
    )]
    EventStream {
        /// The file.
        path: PathBuf,
    },
    /// The first line of the file is not the head of a recording.
    #[error("{} is not a recording of collector", .path.display())]
    NoHead {
        /// The file.
        path: PathBuf,
        /// What is wrong with the line.
        source: serde_json::Error,
    },
    /// The recording is of another format or has other records.
    #[error("{} is of format {format} with records of version {wire}; this agent reads {FORMAT} with {WIRE_VERSION}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: String,
        /// Version of its records.
        wire: u16,
    },
}
