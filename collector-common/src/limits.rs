//! Every size that the kernel side and the agent agree on.

/// Default size of the ring buffer in bytes. The loader may choose another power of two.
pub const RING_BYTES: u32 = 8 << 20;

/// Most bytes of argv that a record carries; the full size is told beside them. As long as the kernel lets one argument be.
pub const ARGS_MAX: usize = 128 << 10;
/// Most bytes of argv that a record carries where the ring has no room for more.
pub const ARGS_SHORT: usize = 2 << 10;
/// Most bytes of the environment that a record carries.
pub const ENV_MAX: usize = 64 << 10;
/// Most bytes of a path that a record carries: `PATH_MAX` of the kernel.
pub const PATH_MAX: usize = 4096;
/// Most components and mounts that a path walk goes over: a path of 4,096 bytes whose names have 15 each. Verifying the
/// exec program takes 480 instructions for each of them (6.18: 122,000 of a million), and 0.3 ms of the agent's start;
/// 1,024 of them are refused.
pub const PATH_COMPONENTS_MAX: usize = 256;
/// The longest name of one directory entry: `NAME_MAX` of the kernel.
pub const NAME_MAX: usize = 255;

/// TCP connects whose end has not been seen yet.
pub const CONNECTING_MAX: u32 = 16 << 10;
/// Remembered peers of unconnected UDP sockets; the least recently used is forgotten.
pub const UDP_PEERS_MAX: u32 = 16 << 10;

/// Ancestors that the exit hook looks through for a subreaper.
pub const REAPER_DEPTH_MAX: usize = 64;

/// `TASK_COMM_LEN` of the kernel, with the NUL.
pub const COMM_LEN: usize = 16;
