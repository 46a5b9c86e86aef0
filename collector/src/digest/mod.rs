//! Digests of images: computed once for each file by a small pool, cached by the file's identity, and never those of anything
//! but the image.
//!
//! The thread that owns the events asks and gets the answer later; it never reads a file. Any number of events wait for one
//! computation. `observed_file` and `proof` have what proves that a file is the image and that two execs ran the same bytes;
//! `reader` has where the bytes are looked for.

mod digests;
mod hash;
mod job;
mod limits;
mod locator;
mod memory;
mod observed_file;
mod pending;
mod pool;
mod proof;
mod reader;
mod roots;
mod text_busy;

pub use self::{
    digests::{Digests, compute},
    job::Digest,
    limits::{DigestLimits, DigestOptions},
    locator::{FileLocator, Request},
    observed_file::ObservedFile,
    pending::{Answer, PendingDigest, State},
};

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
