//! Reads a growing file of lines and gives back what it has read: a minute of storm is more than fits into memory.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use rustix::fs::{FallocateFlags, fallocate};

/// What has been read is given back in pieces of this size.
const PIECE: u64 = 64 << 20;

/// A reader at its place in the file.
#[derive(Debug)]
pub struct Follower {
    lines: BufReader<File>,
    /// The last line as far as it has been written.
    line: Vec<u8>,
    read: u64,
    given_back: u64,
}

impl Follower {
    /// At the beginning of the file.
    pub fn of(path: &Path) -> Self {
        let file = File::options().read(true).write(true).open(path).unwrap();
        Self { lines: BufReader::with_capacity(1 << 20, file), line: Vec::new(), read: 0, given_back: 0 }
    }

    /// Hands over each line that is in the file by now, without its newline.
    pub fn catch_up(&mut self, mut take: impl FnMut(&[u8])) {
        loop {
            let len = self.lines.read_until(b'\n', &mut self.line).unwrap();
            self.read += u64::try_from(len).unwrap();
            let Some(line) = self.line.strip_suffix(b"\n") else { return };
            take(line);
            self.line.clear();
            if self.read - self.given_back > PIECE {
                self.give_back();
            }
        }
    }

    /// The file keeps its size, with a hole where it has been read.
    fn give_back(&mut self) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(self.lines.get_ref(), flags, self.given_back, self.read - self.given_back).unwrap();
        self.given_back = self.read;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::MetadataExt};

    use super::{File, Follower, PIECE};

    #[test]
    fn half_a_line_is_handed_over_when_the_other_half_has_come() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let mut file = File::create(&path).unwrap();
        let mut follower = Follower::of(&path);
        let mut lines = Vec::new();
        for text in ["one\ntw", "o\n\nthree"] {
            file.write_all(text.as_bytes()).unwrap();
            follower.catch_up(|line| lines.push(String::from_utf8(line.to_vec()).unwrap()));
        }
        assert_eq!(lines, ["one", "two", ""]);
    }

    #[test]
    fn what_has_been_read_takes_no_room_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let mut line = vec![b'x'; 1 << 20];
        line.push(b'\n');
        let count = PIECE / (1 << 20) + 1;
        let mut file = File::create(&path).unwrap();
        (0..count).for_each(|_| file.write_all(&line).unwrap());
        let mut lines = 0;
        Follower::of(&path).catch_up(|_| lines += 1);
        assert_eq!(lines, count);
        let metadata = fs::metadata(&path).unwrap();
        assert!(metadata.blocks() * 512 < metadata.len() / 8, "{} blocks are left", metadata.blocks());
    }
}
