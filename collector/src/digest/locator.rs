//! Where the file of an image may be found.

use super::observed_file::ObservedFile;
use crate::{procfs::StartTicks, text::Text};

/// Where the file of an image may be found.
#[derive(Clone, Debug)]
pub struct FileLocator {
    /// A process that runs it.
    pub tgid: u32,
    /// That process's start.
    pub start: StartTicks,
    /// Its parent, by id and start; `None` if it has no parent.
    pub parent: Option<(u32, StartTicks)>,
    /// Its mount namespace, by inode number; `None` if unknown.
    pub mnt: Option<u32>,
    /// The file's path, from the root of that namespace.
    pub path: Option<Text>,
}

/// A question for the digests of an image.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image.
    pub file: ObservedFile,
    /// Where it may be.
    pub locator: FileLocator,
    /// Whether the process of the locator still runs. If not, the pool does not read through it if another process asks too.
    pub lives: bool,
}
