//! Prints on standard output.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;

/// Prints a whole text. A reader that closes the pipe early is not an error.
pub(super) fn print(
    write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>,
) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}
