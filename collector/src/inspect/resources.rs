//! Memory, CPU time, input and output, threads, mappings and the kernel's stack.

use std::collections::HashMap;

use procfs::{
    FromBufRead as _, FromRead as _,
    process::{Io as ParsedIo, MMPermissions, MemoryMaps, Stat, StatM},
};

use super::{
    file::{self, lossy, malformed, parsed, text},
    missing::or_missing,
    model::{Cpu, Inspection, Io, Mapping, Memory, Rollup, State, Thread},
    status::status,
};
use crate::procfs::{self as own, ProcFile, ProcessDir, ReadError, mapping};

/// `USER_HZ` is 100 on every architecture that the agent runs on.
const TICK_NS: u64 = 10_000_000;

/// The kernel puts this behind the path of a file that has lost its name (`d_path`).
const DELETED: &[u8] = b" (deleted)";

/// Adds them.
pub(super) fn add(inspection: &mut Inspection, process: &ProcessDir) {
    let read = cpu(process);
    inspection.cpu = or_missing(inspection, "cpu", read);
    let read = memory(process);
    inspection.memory = or_missing(inspection, "memory", read);
    let read = rollup(process);
    let read = or_missing(inspection, "memory.rollup", read);
    if let Some(memory) = &mut inspection.memory {
        memory.rollup = read.flatten();
    }
    let read = io(process);
    inspection.io = or_missing(inspection, "io", read);
    let read = threads(process);
    inspection.threads = or_missing(inspection, "threads", read);
    let read = text(process, ProcFile::Stack);
    let stack = or_missing(inspection, "kernel_stack", read);
    inspection.kernel_stack = stack.map(|stack| stack.lines().map(frame).collect());
    let read = mappings(process);
    inspection.mappings = or_missing(inspection, "mappings", read);
}

/// `[<0>] do_wait+0x1a/0x2b` without the address, which the kernel hides.
fn frame(line: &str) -> String {
    line.split_once("] ").map_or(line, |(_, frame)| frame).to_owned()
}

fn cpu(process: &ProcessDir) -> Result<Cpu, ReadError> {
    let stat = parsed(process, ProcFile::Stat, |bytes| Stat::from_read(bytes))?;
    let of_children = |ticks: i64| u64::try_from(ticks).unwrap_or(0).saturating_mul(TICK_NS);
    Ok(Cpu {
        user_ns: stat.utime.saturating_mul(TICK_NS),
        system_ns: stat.stime.saturating_mul(TICK_NS),
        children_user_ns: of_children(stat.cutime),
        children_system_ns: of_children(stat.cstime),
        priority: stat.priority,
        nice: stat.nice,
        last_cpu: stat.processor,
        minor_faults: stat.minflt,
        major_faults: stat.majflt,
    })
}

fn memory(process: &ProcessDir) -> Result<Memory, ReadError> {
    let statm = parsed(process, ProcFile::Statm, |bytes| StatM::from_read(bytes))?;
    let status = status(process)?;
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let pages = |count: u64| count.saturating_mul(page);
    let kibibytes = |count: Option<u64>| count.map(|count| count.saturating_mul(1024));
    Ok(Memory {
        virtual_bytes: pages(statm.size),
        resident_bytes: pages(statm.resident),
        shared_bytes: pages(statm.shared),
        text_bytes: pages(statm.text),
        data_bytes: pages(statm.data),
        peak_virtual_bytes: kibibytes(status.vmpeak),
        peak_resident_bytes: kibibytes(status.vmhwm),
        swap_bytes: kibibytes(status.vmswap),
        locked_bytes: kibibytes(status.vmlck),
        page_table_bytes: kibibytes(status.vmpte),
        rollup: None,
    })
}

/// `None` for a process without memory: a kernel task.
fn rollup(process: &ProcessDir) -> Result<Option<Rollup>, ReadError> {
    let maps = parsed(process, ProcFile::SmapsRollup, |bytes| MemoryMaps::from_buf_read(bytes))?;
    let Some(sums) = maps.0.first().map(|map| &map.extension.map) else { return Ok(None) };
    let sum = |name: &str| sums.get(name).copied().unwrap_or(0);
    Ok(Some(Rollup {
        rss_bytes: sum("Rss"),
        pss_bytes: sum("Pss"),
        shared_clean_bytes: sum("Shared_Clean"),
        shared_dirty_bytes: sum("Shared_Dirty"),
        private_clean_bytes: sum("Private_Clean"),
        private_dirty_bytes: sum("Private_Dirty"),
        anonymous_bytes: sum("Anonymous"),
        swap_bytes: sum("Swap"),
        locked_bytes: sum("Locked"),
    }))
}

fn io(process: &ProcessDir) -> Result<Io, ReadError> {
    let io = parsed(process, ProcFile::Io, |bytes| ParsedIo::from_buf_read(bytes))?;
    Ok(Io {
        read_chars: io.rchar,
        written_chars: io.wchar,
        read_calls: io.syscr,
        write_calls: io.syscw,
        read_bytes: io.read_bytes,
        written_bytes: io.write_bytes,
        cancelled_write_bytes: io.cancelled_write_bytes,
    })
}

fn threads(process: &ProcessDir) -> Result<Vec<Thread>, ReadError> {
    let lines = process.thread_stats()?;
    let thread = |line: &Vec<u8>| {
        let stat = own::Stat::parse(line)?;
        Some(Thread {
            tid: stat.pid,
            comm: lossy(stat.comm),
            state: State::of(stat.state),
            user_ns: stat.utime.saturating_mul(TICK_NS),
            system_ns: stat.stime.saturating_mul(TICK_NS),
        })
    };
    Ok(lines.iter().filter_map(thread).collect())
}

fn mappings(process: &ProcessDir) -> Result<Vec<Mapping>, ReadError> {
    let bytes = file::bytes(process, ProcFile::Maps)?;
    let maps = mapping::mappings(&bytes).ok_or_else(|| malformed(process, ProcFile::Maps))?;
    let mut rows: Vec<(Mapping, MMPermissions)> = Vec::new();
    let mut places = HashMap::new();
    for (map, name) in maps {
        let inode = (map.inode != 0).then_some(map.inode);
        let place = *places.entry((name, map.dev, inode)).or_insert_with(|| {
            rows.push((row(process, name, inode), MMPermissions::NONE));
            rows.len() - 1
        });
        if let Some((row, permissions)) = rows.get_mut(place) {
            let size = map.address.1.saturating_sub(map.address.0);
            row.size_bytes = row.size_bytes.saturating_add(size);
            row.mappings += 1;
            *permissions |= map.perms;
        }
    }
    let finished =
        |(row, permissions): (Mapping, MMPermissions)| Mapping { permissions: permissions.as_str(), ..row };
    Ok(rows.into_iter().map(finished).collect())
}

/// A row for a file or a kind of memory, with nothing counted yet.
fn row(process: &ProcessDir, name: &[u8], inode: Option<u64>) -> Mapping {
    let live = |inode| process.is_name_of_inode(name, inode);
    let gone = name.strip_suffix(DELETED).filter(|_| inode.is_some_and(|inode| !live(inode)));
    let path = match gone.unwrap_or(name) {
        [] => "[anon]".to_owned(),
        path => lossy(path),
    };
    let deleted = gone.is_some();
    Mapping { path, deleted, size_bytes: 0, mappings: 0, permissions: String::new(), inode }
}
