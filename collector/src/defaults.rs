//! Default bounds that both the configuration and a room state: each number stands here once.

/// Processes in the table: `processes.entries`.
pub(crate) const TABLE_ENTRIES: usize = 262_144;
/// How long the table keeps a process after its end, in milliseconds: `processes.grace_ms`.
pub(crate) const TABLE_GRACE_MS: u64 = 500;
/// Ancestors on an event: `processes.ancestors`.
pub(crate) const ANCESTORS: usize = 64;
/// How long an event waits for a digest that is not cached, in milliseconds: `checksums.wait_ms`.
pub(crate) const DIGEST_WAIT_MS: u64 = 100;
/// Largest file, in bytes, that is digested: `checksums.max_bytes`.
pub(crate) const DIGEST_MAX_BYTES: u64 = 512 << 20;
/// Files whose digests are cached: `checksums.entries`.
pub(crate) const DIGEST_CACHE_ENTRIES: usize = 16_384;
