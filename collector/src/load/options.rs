//! What to load.

use super::{filters, hooks::Hook, part::Part};
use crate::filter::Filter;

/// What to load, and how.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Bytes of the ring buffer: a power of two, at least a page.
    pub ring_bytes: u32,
    /// Whether to attach the hooks for connections.
    pub connections: bool,
    /// Level of the programs' own log: 0 (off, at no cost) to 5 (trace), as `aya_log` numbers them.
    pub kernel_log: u8,
    /// Which events are reported.
    pub filter: Filter,
}

impl LoadOptions {
    /// Whether a hook is to be attached.
    pub(super) fn want(&self, hook: &Hook) -> bool {
        match hook.part {
            Part::Processes | Part::Scan => true,
            Part::Connections => self.connections,
            Part::Cgroups => filters::has_cgroups(&self.filter),
        }
    }
}
