//! Sizes that the kernel side and the agent agree on.

/// Default size of the ring buffer in bytes. The loader may choose another power of two.
pub const RING_BYTES: u32 = 8 << 20;

/// Most bytes of argv in a record, which also has the full size. The kernel's own limit for one argument.
pub const ARGS_MAX: usize = 128 << 10;
/// Most bytes of argv in a record when the ring has no room for more.
pub const ARGS_SHORT: usize = 2 << 10;
/// Most bytes of the environment in a record.
pub const ENV_MAX: usize = 64 << 10;
/// Most bytes of a path in a record: `PATH_MAX` of the kernel.
pub const PATH_MAX: usize = 4096;
/// Most components and mounts of a path walk: a path of 4,096 bytes whose names have 15 bytes each. The verifier
/// takes 480 instructions for each of them in the exec program (6.18: 122,000 of a million), and 0.3 ms of the
/// agent's start. It refuses 1,024.
pub const PATH_COMPONENTS_MAX: usize = 256;
/// The longest name of one directory entry: `NAME_MAX` of the kernel.
pub const NAME_MAX: usize = 255;

/// TCP connects that may be open at once without a result.
pub const CONNECTING_MAX: u32 = 16 << 10;
/// Remembered peers of unconnected UDP sockets; the least recently used is evicted.
pub const UDP_PEERS_MAX: u32 = 16 << 10;

/// Ancestors among which the exit hook looks for a subreaper.
pub const REAPER_DEPTH_MAX: usize = 64;

/// `TASK_COMM_LEN` of the kernel, with the NUL.
pub const COMM_LEN: usize = 16;
