//! Lines of a fake /proc, for tests.

/// A process in `/proc/<tgid>/stat`.
pub(crate) struct StatLine<'a> {
    /// Field 1.
    pub tgid: u32,
    /// Field 2.
    pub comm: &'a str,
    /// Field 3.
    pub state: char,
    /// Field 4.
    pub parent: u32,
    /// Field 22, in clock ticks since boot.
    pub start_ticks: u64,
}

impl StatLine<'_> {
    /// The line. Fields that no test looks at have fixed values: session and process group are 7.
    pub(crate) fn text(&self) -> String {
        let Self { tgid, comm, state, parent, start_ticks } = self;
        format!(
            "{tgid} ({comm}) {state} {parent} 7 7 0 -1 0 1 2 3 4 50 60 7 8 20 0 1 0 {start_ticks} 1024 9 0 0\n"
        )
    }
}
