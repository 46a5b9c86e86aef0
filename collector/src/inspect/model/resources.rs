//! What a process uses: CPU time, memory, input and output, its limits, threads and mappings.

use schemars::JsonSchema;
use serde::Serialize;

use super::State;

/// `cpu`: CPU time of all its threads.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cpu {
    /// In user mode, in nanoseconds, to the clock tick of 10 ms.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
    /// In user mode, of the children that it has waited for.
    pub children_user_ns: u64,
    /// In the kernel, of the same children.
    pub children_system_ns: u64,
    /// Priority of the scheduler: field 18 of `stat`.
    pub priority: i64,
    /// Nice value, from -20 (runs first) to 19.
    pub nice: i64,
    /// The CPU that its main thread ran on last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_cpu: Option<i32>,
    /// Page faults without I/O.
    pub minor_faults: u64,
    /// Page faults with I/O.
    pub major_faults: u64,
}

/// `memory`, in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Memory {
    /// Address space.
    pub virtual_bytes: u64,
    /// In physical memory. The kernel counts this roughly; `rollup` is exact.
    pub resident_bytes: u64,
    /// The part of it that belongs to files and shared memory.
    pub shared_bytes: u64,
    /// Address space of its code.
    pub text_bytes: u64,
    /// Address space of its data and stack.
    pub data_bytes: u64,
    /// Largest address space so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_virtual_bytes: Option<u64>,
    /// Largest use of physical memory so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_resident_bytes: Option<u64>,
    /// In swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_bytes: Option<u64>,
    /// Locked by `mlock(2)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked_bytes: Option<u64>,
    /// Its page tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_table_bytes: Option<u64>,
    /// The sums over its mappings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollup: Option<Rollup>,
}

/// `memory.rollup`, in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rollup {
    /// In physical memory.
    pub rss_bytes: u64,
    /// The same, with each shared page divided among the processes that share it.
    pub pss_bytes: u64,
    /// Shared and unchanged.
    pub shared_clean_bytes: u64,
    /// Shared and changed.
    pub shared_dirty_bytes: u64,
    /// Its own, unchanged.
    pub private_clean_bytes: u64,
    /// Its own, changed.
    pub private_dirty_bytes: u64,
    /// Not of a file.
    pub anonymous_bytes: u64,
    /// In swap.
    pub swap_bytes: u64,
    /// Locked.
    pub locked_bytes: u64,
}

/// `io`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Io {
    /// Bytes from read(2) and similar calls.
    pub read_chars: u64,
    /// Bytes to write(2) and similar calls.
    pub written_chars: u64,
    /// Number of read(2) and similar calls.
    pub read_calls: u64,
    /// Number of write(2) and similar calls.
    pub write_calls: u64,
    /// Bytes fetched from storage.
    pub read_bytes: u64,
    /// Bytes to be written to storage.
    pub written_bytes: u64,
    /// The part of them that was not written, because the file was truncated first.
    pub cancelled_write_bytes: u64,
}

/// `limits[]`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Limit {
    /// The name in getrlimit(2): `RLIMIT_NOFILE`.
    pub name: &'static str,
    /// The limit in force; absent if unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft: Option<u64>,
    /// The limit up to which the process may raise `soft`; absent if unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard: Option<u64>,
    /// `bytes`, `seconds`, `microseconds`, `files`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
}

/// `threads[]`
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Thread {
    /// Thread id.
    pub tid: u32,
    /// Its name.
    pub comm: String,
    /// Its state.
    pub state: State,
    /// CPU time in user mode, in nanoseconds, to the clock tick of 10 ms.
    pub user_ns: u64,
    /// CPU time in the kernel.
    pub system_ns: u64,
}

/// `mappings[]`: all mappings of one file, or of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Mapping {
    /// The file, or `[heap]`, `[stack]`, `[anon]` and the like.
    pub path: String,
    /// Whether the file has lost this name.
    pub deleted: bool,
    /// Address space.
    pub size_bytes: u64,
    /// Number of mappings.
    pub mappings: u64,
    /// The permissions of all of them together: `rwxps`.
    pub permissions: String,
    /// Inode number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
}
