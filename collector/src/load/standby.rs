//! Whether programs must stand by for others on this kernel.
//!
//! While a tracing program is interrupted, the kernel runs no second one of the same program on that CPU. Since Linux 7.0 any
//! can be preempted. Before, that befalls only the one that follows connections, whose states change in interrupts too. A
//! program of its own behind each of these tells what the first missed.

use collector_common::{PID_LIMIT, PIDS_IN_A_PAGE};
use rustix::system::uname;

use super::Part;

/// The first release that preempts tracing programs. Its types do not tell: the change was one of code.
const PREEMPTS_SINCE: (u32, u32) = (7, 0);

/// The programs at each hook, and what that takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standby {
    /// Whether this kernel preempts programs.
    preempts: bool,
}

impl Standby {
    pub(super) fn here() -> Self {
        Self { preempts: preempts(&uname().release().to_string_lossy()) }
    }

    pub(super) fn is_needed_for(self, part: Part) -> bool {
        self.preempts || part == Part::Connections
    }

    /// Programs at a hook that tells of processes.
    pub(super) fn programs(self) -> u32 {
        1 + u32::from(self.preempts)
    }

    /// Pages of marks, a byte for each process id there can be; one where nothing is marked.
    pub(super) fn pages(self) -> u32 {
        let pages = PID_LIMIT.div_ceil(u32::try_from(PIDS_IN_A_PAGE).unwrap_or(1));
        if self.preempts { pages } else { 1 }
    }
}

/// `7.3.4+deb13-cloud-amd64` does. What is no release is taken for a new one, where a program too many does no harm.
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
    fn since_seven_programs_are_preempted() {
        for release in ["7.0.0", "7.3.4+deb13-cloud-amd64", "10.1", "unknown"] {
            assert!(preempts(release), "{release}");
        }
        for release in ["6.18.44-fc-v669", "5.10.0-46-cloud-amd64", "6.19"] {
            assert!(!preempts(release), "{release}");
        }
    }
}
