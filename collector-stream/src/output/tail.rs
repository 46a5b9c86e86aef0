//! The end of a file of JSON Lines: a line that a full disk or a crash cut in the middle.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::fs::FileExt as _,
    },
};

use rustix::fs::{FileType, fstat, ftruncate};

/// Whether a regular file ends in the middle of a line. A file that cannot be read is taken to be whole.
pub(super) fn is_half_a_line(file: &File) -> bool {
    let last = || -> io::Result<Option<u8>> {
        let metadata = file.metadata()?;
        let Some(before_last) = metadata.len().checked_sub(1).filter(|_| metadata.is_file()) else {
            return Ok(None);
        };
        let mut byte = [0];
        // The descriptor itself is for writing only.
        File::open(path_of(file.as_raw_fd()))?.read_exact_at(&mut byte, before_last)?;
        Ok(byte.first().copied())
    };
    matches!(last(), Ok(Some(byte)) if byte != b'\n')
}

/// Removes the last `len` bytes of a regular file, if they are all of a line that another process has not completed.
pub(super) fn remove(file: &File, len: u64) {
    let Ok(stat) = fstat(file) else { return };
    let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
    if let (true, Ok(size)) = (is_file && len > 0, u64::try_from(stat.st_size))
        && is_half_a_line(file)
    {
        // Where that fails, the next run completes the line.
        let _ = ftruncate(file, size.saturating_sub(len));
    }
}

fn path_of(fd: RawFd) -> String {
    format!("/proc/self/fd/{fd}")
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::{is_half_a_line, remove};

    #[track_caller]
    fn check(content: &str, half: bool) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        assert_eq!(is_half_a_line(&file), half, "{content:?}");
    }

    #[test]
    fn only_a_file_without_a_newline_at_its_end_ends_in_half_a_line() {
        check("", false);
        check("{}\n", false);
        check("{}\n{", true);
        check("{", true);
    }

    #[test]
    fn a_partial_line_is_removed_and_a_whole_one_is_not() {
        let path = tempfile::NamedTempFile::new().unwrap();
        for (content, expected) in [("{}\n{\"a", "{}\n"), ("{}\n{}\n", "{}\n{}\n")] {
            fs::write(path.path(), content).unwrap();
            remove(&fs::OpenOptions::new().append(true).open(path.path()).unwrap(), 3);
            assert_eq!(fs::read_to_string(path.path()).unwrap(), expected);
        }
    }
}
