//! The end of a run.

use std::time::{Duration, Instant};

use super::summary;
use crate::{collector::Handle, stream::output::FanoutHandle};

/// Ends a run within its stop timeout.
pub(super) struct Stop {
    handle: Handle,
    fanout: FanoutHandle,
    timeout: Duration,
}

impl Stop {
    /// The end of this agent and its outputs.
    pub(super) fn new(handle: Handle, fanout: FanoutHandle, timeout: Duration) -> Self {
        Self { handle, fanout, timeout }
    }

    /// Asks the agent to stop, and bounds how long outputs may hold up the stream and deliver. Returns when the process has to end.
    pub(super) fn begin(&self) -> Instant {
        let now = Instant::now();
        self.handle.stop();
        self.fanout.block_until(now + self.timeout * 7 / 10);
        self.fanout.deliver_until(now + self.timeout * 9 / 10);
        now + self.timeout
    }

    /// Prints the counters of the run and of each output, as they are now.
    pub(super) fn print_counters(&self) {
        summary::print_counters(&self.handle.counters(), &self.fanout.reports());
    }

    /// Makes every output open its destination again.
    pub(super) fn reopen(&self) {
        self.fanout.reopen();
    }

    /// Ends the process, since the stop timeout has passed. What was not delivered is counted on stderr.
    pub(super) fn give_up(&self) -> ! {
        summary::print_undelivered(&self.fanout.reports());
        std::process::exit(1)
    }
}
