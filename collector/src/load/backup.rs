//! Whether this kernel needs backup programs.
//!
//! While a tracing program is interrupted, the kernel does not run the same program again on that CPU. Since Linux 7.0 any
//! tracing program can be preempted. Before, only the one that follows connections can be interrupted by itself, because the
//! states of connections change in interrupts too. A backup program behind each of these reports what the primary missed.

use collector_common::{PID_LIMIT, PIDS_IN_A_PAGE};
use rustix::system::uname;

use super::part::Part;

/// The first release that preempts tracing programs. The kernel's types do not show it: only code has changed.
const PREEMPTS_SINCE: (u32, u32) = (7, 0);

/// The backup programs of this kernel, and what they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backups {
    /// Whether this kernel preempts programs.
    preempts: bool,
}

impl Backups {
    /// Those of the running kernel.
    pub(super) fn here() -> Self {
        Self { preempts: preempts(&uname().release().to_string_lossy()) }
    }

    /// Whether hooks of this part have backups.
    pub(super) fn are_needed_for(self, part: Part) -> bool {
        self.preempts || part == Part::Connections
    }

    /// Programs at each hook of processes.
    pub(super) fn programs(self) -> u32 {
        1 + u32::from(self.preempts)
    }

    /// Pages of marks, with a byte for each possible process id; one page if no program sets marks.
    pub(super) fn pages(self) -> u32 {
        let pages = PID_LIMIT.div_ceil(u32::try_from(PIDS_IN_A_PAGE).unwrap_or(1));
        if self.preempts { pages } else { 1 }
    }
}

/// Whether a release, such as `7.3.4+deb13-cloud-amd64`, preempts tracing programs. An unreadable release counts as a new
/// one, where a superfluous program does no harm.
fn preempts(release: &str) -> bool {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= PREEMPTS_SINCE,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::preempts;

    #[test]
    fn kernels_since_7_0_preempt_programs() {
        for release in ["7.0.0", "7.3.4+deb13-cloud-amd64", "10.1", "unknown"] {
            assert!(preempts(release), "{release}");
        }
        for release in ["6.18.44-fc-v669", "5.10.0-46-cloud-amd64", "6.19"] {
            assert!(!preempts(release), "{release}");
        }
    }
}
