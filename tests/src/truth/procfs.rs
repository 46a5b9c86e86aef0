//! The files of /proc/PID, read as plainly as can be.

use std::{fs, io, os::unix::ffi::OsStringExt, path::PathBuf};

use crate::cpid::{self, Identity};

/// /proc/PID/NAME
pub fn file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// What /proc/PID/stat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Field 3: `Z` for a zombie.
    pub state: char,
    /// Field 4.
    pub ppid: u32,
    /// Field 5.
    pub process_group: u32,
    /// Field 6.
    pub session: u32,
    /// Field 7; 0 without a terminal.
    pub tty: i32,
    /// Field 9; `PF_KTHREAD` is `0x20_0000`.
    pub flags: u32,
    /// Field 22, ticks since boot.
    pub start_ticks: u64,
}

impl Stat {
    /// Of a process, or nothing when it is gone.
    pub fn read(pid: u32) -> Option<Self> {
        let text = fs::read(file(pid, "stat")).ok()?;
        // comm may hold blanks and parentheses, so the fields are counted from the last one.
        let end_of_comm = text.iter().rposition(|&byte| byte == b')')?;
        let rest = String::from_utf8_lossy(&text[end_of_comm + 1..]).into_owned();
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            state: fields[0].chars().next()?,
            ppid: fields[1].parse().ok()?,
            process_group: fields[2].parse().ok()?,
            session: fields[3].parse().ok()?,
            tty: fields[4].parse().ok()?,
            flags: fields[6].parse().ok()?,
            start_ticks: fields[19].parse().ok()?,
        })
    }

    /// `PF_KTHREAD`
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & 0x0020_0000 != 0
    }
}

/// The fields after the name on one line of /proc/PID/status.
pub fn status(pid: u32, name: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(file(pid, "status")).unwrap()).into_owned();
    let prefix = format!("{name}:");
    text.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .map(|rest| rest.split_ascii_whitespace().map(str::to_owned).collect())
        .unwrap_or_default()
}

/// The strings of cmdline or environ: each ends with a NUL.
pub fn strings(pid: u32, name: &str) -> io::Result<Vec<Vec<u8>>> {
    let bytes = fs::read(file(pid, name))?;
    let Some(all) = bytes.strip_suffix(b"\0") else {
        return Ok(if bytes.is_empty() { Vec::new() } else { vec![bytes] });
    };
    Ok(all.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect())
}

/// /proc/PID/comm without its line feed.
pub fn comm(pid: u32) -> Option<String> {
    let bytes = fs::read(file(pid, "comm")).ok()?;
    Some(String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned())
}

/// Where /proc/PID/exe points, without what the kernel appends where the file has no name any more.
pub fn executable(pid: u32) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let text = fs::read_link(file(pid, "exe")).ok()?.into_os_string().into_vec();
    let unnamed = fs::metadata(file(pid, "exe")).ok()?.nlink() == 0;
    let path = if unnamed { text.strip_suffix(b" (deleted)").unwrap_or(&text) } else { &text };
    Some(String::from_utf8_lossy(path).into_owned())
}

/// Inode number of /proc/PID/ns/NAME.
pub fn namespace(pid: u32, name: &str) -> u64 {
    let link = fs::read_link(file(pid, "ns").join(name)).unwrap().to_string_lossy().into_owned();
    let number = link.split(['[', ']']).nth(1).unwrap();
    number.parse().unwrap()
}

/// The text of `/proc/sys/kernel/random/boot_id`.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

/// `entity_id` as the specification has it, or nothing when the process is gone.
pub fn entity_id(pid: u32) -> Option<String> {
    let start_ticks = Stat::read(pid)?.start_ticks;
    let ids = status(pid, "NSpid");
    // A process with one id is in the namespace that /proc shows; its own link may be forbidden to read, as that of a
    // pid 1 with more capabilities than this test.
    let namespace_of = if ids.len() == 1 { std::process::id() } else { pid };
    let identity = Identity {
        boot: cpid::uuid_bytes(&boot_id()),
        pid_namespace: namespace(namespace_of, "pid"),
        start_ticks,
        innermost_tgid: ids.last()?.parse().ok()?,
    };
    Some(cpid::cpid(&identity))
}

/// All processes, as /proc lists them.
pub fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}
