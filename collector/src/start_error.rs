//! Why an agent did not start.

use std::io;

use crate::{config::ConfigError, load::LoadError, procfs::OpenProcError, source::recording::RecordingError};

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The programs could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// /proc is missing.
    #[error(transparent)]
    Proc(#[from] OpenProcError),
    /// A recording could not be read or written.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The system refused a descriptor or a thread.
    #[error("cannot start the agent's thread")]
    Thread(#[source] io::Error),
    /// Only connections were asked for, and their hooks could not be attached.
    #[error("nothing to watch: {reason}")]
    NothingToWatch {
        /// Why not.
        reason: String,
    },
}
