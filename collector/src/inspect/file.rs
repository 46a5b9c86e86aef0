//! Reads a file of a process as text, or parsed.

use procfs::ProcResult;

use crate::procfs::{ProcFile, ProcessDir, ReadError};

/// Most bytes that are read of a file.
const MAX_BYTES: usize = 16 << 20;

/// The bytes of a file.
pub(super) fn bytes(process: &ProcessDir, file: ProcFile) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    process.read_into(file, &mut bytes, MAX_BYTES)?;
    Ok(bytes)
}

/// The same as text: at most the names in it are not UTF-8.
pub(super) fn text(process: &ProcessDir, file: ProcFile) -> Result<String, ReadError> {
    Ok(lossy(&bytes(process, file)?))
}

/// The same, parsed.
pub(super) fn parsed<T>(
    process: &ProcessDir,
    file: ProcFile,
    parse: impl FnOnce(&[u8]) -> ProcResult<T>,
) -> Result<T, ReadError> {
    let text = text(process, file)?;
    parse(text.as_bytes()).map_err(|_| malformed(process, file))
}

/// The error for a file that has another form than the kernel's documentation says.
pub(super) fn malformed(process: &ProcessDir, file: ProcFile) -> ReadError {
    ReadError::Malformed { tgid: process.tgid(), file: file.name() }
}

/// Bytes of the kernel as text. U+FFFD replaces what is not UTF-8.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
