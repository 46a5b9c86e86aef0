//! `/proc/<tgid>/task`: the threads of a process.

use std::os::fd::AsFd as _;

use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::read;

use super::descriptor::numbers;
use super::error::ReadError;
use super::process_dir::ProcessDir;

impl ProcessDir {
    /// The line of `stat` of each thread, by thread id. Leaves out one that ends meanwhile.
    pub fn thread_stats(&self) -> Result<Vec<Vec<u8>>, ReadError> {
        let tasks = self.directory("task")?;
        let tids = numbers(tasks.as_fd()).map_err(|errno| self.error("task", errno))?;
        let stat = |tid: u32| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let file = openat(&tasks, format!("{tid}/stat"), flags, Mode::empty()).ok()?;
            let mut line = Vec::with_capacity(2048);
            // The kernel prints the line in one piece.
            read(&file, spare_capacity(&mut line)).ok()?;
            Some(line)
        };
        Ok(tids.into_iter().filter_map(stat).collect())
    }
}
